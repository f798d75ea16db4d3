-- Who reads and writes, of those who did.
-- needs: pg_stat_io.read_bytes
SELECT backend_type, object, context, reads, read_bytes::bigint AS read_bytes, read_time AS read_ms,
       writes, write_bytes::bigint AS write_bytes, write_time AS write_ms, extends,
       extend_bytes::bigint AS extend_bytes, hits, evictions, fsyncs, stats_reset
FROM pg_catalog.pg_stat_io
WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0) > 0

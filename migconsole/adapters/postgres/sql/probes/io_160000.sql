-- Who reads and writes, of those who did.
-- needs: pg_stat_io.op_bytes
SELECT backend_type, object, context, reads, reads * op_bytes AS read_bytes, read_time AS read_ms,
       writes, writes * op_bytes AS write_bytes, write_time AS write_ms, extends, extends * op_bytes AS extend_bytes,
       hits, evictions, fsyncs, stats_reset
FROM pg_catalog.pg_stat_io
WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) + coalesce(hits, 0) > 0

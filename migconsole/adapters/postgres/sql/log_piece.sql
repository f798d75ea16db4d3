-- $3 bytes of the file $1 from $2 on, null when it is gone; superusers, or a grant of pg_read_binary_file.
SELECT pg_catalog.pg_read_binary_file($1, $2, $3, true) AS piece

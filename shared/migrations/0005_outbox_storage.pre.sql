SET LOCAL lock_timeout = '5s';

-- A packed row lives for milliseconds: to compress it costs more than to write it as it is.
ALTER TABLE outbox ALTER COLUMN value SET STORAGE EXTERNAL;

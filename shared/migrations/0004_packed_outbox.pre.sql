SET LOCAL lock_timeout = '5s';

-- How many records a row of the outbox holds: a transaction that emits many packs them.
ALTER TABLE outbox ADD COLUMN records integer NOT NULL DEFAULT 1;

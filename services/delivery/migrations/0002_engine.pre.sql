SET LOCAL lock_timeout = '5s';

-- What is sent in bulk is handed out in slices, one a chunk of the snapshot. A slice's holder writes
-- which of its positions are about to be called (its window) before it calls them: one row for many
-- attempts. Rows in the window of a holder that is gone are in doubt; the others were never called.
CREATE TABLE slices (
    run_id      uuid NOT NULL,
    number      integer NOT NULL,
    next_at     timestamptz NOT NULL,
    window_from integer NOT NULL,
    window_to   integer NOT NULL,
    window_at   timestamptz,
    lease_owner text,
    lease_epoch integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    PRIMARY KEY (run_id, number)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX slices_due ON slices (run_id, number) WHERE lease_until IS NULL;
CREATE INDEX slices_leased ON slices (lease_until) WHERE lease_until IS NOT NULL;

-- What is handed out row by row: proofs, single messages, and whatever is tried again.
CREATE TABLE queue (
    run_id      uuid NOT NULL,
    member_id   uuid NOT NULL,
    urgent      boolean NOT NULL,
    next_at     timestamptz NOT NULL,
    lease_owner text,
    lease_until timestamptz,
    PRIMARY KEY (run_id, member_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX queue_urgent ON queue (next_at) WHERE urgent AND lease_until IS NULL;
CREATE INDEX queue_bulk ON queue (run_id, next_at) WHERE NOT urgent AND lease_until IS NULL;
CREATE INDEX queue_leased ON queue (lease_until) WHERE lease_until IS NOT NULL;

-- What was pending under the shape before waits in the queue.
INSERT INTO queue (run_id, member_id, urgent, next_at, lease_owner, lease_until)
SELECT run_id, member_id, urgent, next_at, lease_owner, lease_until
FROM ledger WHERE outcome = 'pending' AND channel = 'email';

-- No index names a column that changes when a message leaves: the update stays in its page.
DROP INDEX ledger_urgent;
DROP INDEX ledger_bulk;
DROP INDEX ledger_leased;
DROP INDEX ledger_ambiguous;
DROP INDEX ledger_letters;
ALTER TABLE ledger DROP COLUMN next_at, DROP COLUMN lease_owner, DROP COLUMN lease_until;
-- A campaign's row: its chunk times 10,000, plus its place in the chunk.
ALTER TABLE ledger ADD COLUMN position integer;
CREATE INDEX ledger_position ON ledger (run_id, position);
CREATE INDEX ledger_letters ON ledger (run_id, member_id) WHERE channel = 'direct_mail';
CREATE INDEX attempts_unclear ON attempts (run_id, member_id) WHERE outcome IN ('open', 'ambiguous');
DO $$
BEGIN
    FOR i IN 0..3 LOOP
        EXECUTE format('ALTER TABLE ledger_%s SET (fillfactor = 70)', i);
    END LOOP;
END $$;

-- How fast a run may go, in messages a minute; none: as fast as its servers take them.
ALTER TABLE runs ADD COLUMN rate_per_minute integer CHECK (rate_per_minute > 0);
ALTER TABLE runs ADD COLUMN tokens double precision NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN tokens_at timestamptz;

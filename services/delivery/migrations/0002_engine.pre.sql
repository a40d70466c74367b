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

-- How much a destination's domain may be sent a minute, and a day while it is being warmed up.
CREATE TABLE domain_limits (
    domain        text PRIMARY KEY CHECK (domain = lower(domain)),
    per_minute    integer CHECK (per_minute > 0),
    warmup_from   date,
    warmup_start  integer CHECK (warmup_start > 0),
    warmup_factor numeric(6, 3) NOT NULL DEFAULT 2 CHECK (warmup_factor >= 1),
    CHECK ((warmup_from IS NULL) = (warmup_start IS NULL)),
    CHECK (per_minute IS NOT NULL OR warmup_start IS NOT NULL)
);
-- What was taken of a limit, by whoever sends; one row a domain, its minute and its day.
CREATE TABLE domain_usage (
    domain    text PRIMARY KEY REFERENCES domain_limits ON DELETE CASCADE,
    minute_at timestamptz NOT NULL,
    minute    integer NOT NULL,
    day_at    date NOT NULL,
    day       integer NOT NULL
);

-- Failed rows, or all that got nothing, sent again: how far that has come.
ALTER TABLE runs ADD COLUMN again_scope text CHECK (again_scope IN ('failed', 'missed'));
ALTER TABLE runs ADD COLUMN again_asked_at timestamptz;
ALTER TABLE runs ADD COLUMN again_after integer;
-- When the rows of a run were removed; its totals stay.
ALTER TABLE runs ADD COLUMN purged_at timestamptz;
CREATE INDEX runs_again ON runs (run_id) WHERE again_scope IS NOT NULL;
CREATE INDEX runs_old ON runs (finished_at) WHERE state = 'finished' AND purged_at IS NULL;

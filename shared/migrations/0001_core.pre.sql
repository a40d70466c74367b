-- The tables of the messaging core; every service's schema has them. search_path is the schema.
SET LOCAL lock_timeout = '5s';

-- What each consumer has handled: the identity of a CloudEvent is (source, id).
CREATE TABLE inbox (
    consumer    text NOT NULL,
    source      text NOT NULL,
    id          text NOT NULL,
    handled_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, source, id)
);
CREATE INDEX inbox_handled_at ON inbox USING brin (handled_at);

-- What is to be published; headers are a JSON array of names and values. xid stands before seq: a default is evaluated in column order, so a
-- sequence number is always taken by a transaction that has its id (the relay's watermark needs it).
CREATE SEQUENCE outbox_seq CACHE 1;
CREATE TABLE outbox (
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint PRIMARY KEY DEFAULT nextval('outbox_seq'),
    topic       text NOT NULL,
    key         text,
    headers     bytea NOT NULL,
    value       bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
ALTER SEQUENCE outbox_seq OWNED BY outbox.seq;

-- One relay per schema holds the lease; the epoch fences a woken predecessor's marks.
CREATE TABLE relay_lease (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    owner       text,
    epoch       bigint NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO relay_lease DEFAULT VALUES;

-- True while the relay sleeps: the first writer that flips it sends the one NOTIFY.
CREATE TABLE relay_wake (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    waiting     boolean NOT NULL DEFAULT false
);
INSERT INTO relay_wake DEFAULT VALUES;

-- Messages put aside: the oldest of a key waits for its retry, later ones are parked behind it.
CREATE TABLE retries (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text NOT NULL,
    key         text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    kafka_offset bigint NOT NULL,
    headers     bytea NOT NULL,
    value       bytea NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    dead        boolean NOT NULL DEFAULT false,
    reason      text NOT NULL DEFAULT ''
);
CREATE INDEX retries_key ON retries (consumer, key, seq);
CREATE INDEX retries_due ON retries (consumer, next_at) WHERE NOT dead;

-- What could not be handled, with its reason, until somebody replays or drops it.
CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY,
    consumer    text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    kafka_offset bigint NOT NULL,
    key         text,
    ce_source   text,
    ce_id       text,
    ce_type     text,
    headers     bytea NOT NULL,
    value       bytea NOT NULL,
    reason      text NOT NULL,
    retry_seq   bigint,
    failed_at   timestamptz NOT NULL,
    replayed_at timestamptz,
    UNIQUE (consumer, topic, partition, kafka_offset)
);

-- Things that are due at a time: reminders, deadlines, starts. One per (kind, key).
CREATE TABLE timers (
    kind        text NOT NULL,
    key         text NOT NULL,
    due_at      timestamptz NOT NULL,
    payload     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (kind, key)
);
CREATE INDEX timers_due ON timers (kind, due_at);

-- This service's copy of who may do what.
CREATE TABLE operators (
    operator_id   text PRIMARY KEY,
    version       bigint NOT NULL,
    name          text NOT NULL,
    roles         text[] NOT NULL,
    groups        text[] NOT NULL,
    slack_user_id text,
    language      text NOT NULL,
    active        boolean NOT NULL
);
CREATE UNIQUE INDEX operators_slack ON operators (slack_user_id) WHERE slack_user_id IS NOT NULL;

-- The technical workflows this service executes.
CREATE TABLE technical_workflows (
    name        text PRIMARY KEY,
    status      text NOT NULL DEFAULT 'started'
                CHECK (status IN ('started', 'paused', 'stopped', 'failed')),
    version     bigint NOT NULL DEFAULT 1,
    next_at     timestamptz NOT NULL DEFAULT now(),
    last_run_at timestamptz,
    runs        bigint NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '',
    lease_owner text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    lease_epoch bigint NOT NULL DEFAULT 0
);
-- Triggers: whoever gives a workflow work adds a row, and waits for nobody's lock.
CREATE TABLE workflow_wakes (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL
);
CREATE TABLE workflow_runs (
    run_id        uuid PRIMARY KEY,
    name          text NOT NULL REFERENCES technical_workflows (name) ON DELETE CASCADE,
    scheduled_for timestamptz NOT NULL,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    rows_in       integer NOT NULL DEFAULT 0,
    rows_out      integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT ''
);
CREATE INDEX workflow_runs_name ON workflow_runs (name, started_at DESC);

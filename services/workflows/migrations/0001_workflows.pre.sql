SET LOCAL lock_timeout = '5s';

-- Every technical workflow as its own service last published it (a read model: it can be dropped
-- and refilled from workflows.state.v1).
CREATE TABLE catalogue (
    name        text PRIMARY KEY,
    version     bigint NOT NULL,
    service     text NOT NULL,
    label       text NOT NULL,
    label_fr    text NOT NULL,
    package     text NOT NULL,
    schedule    text NOT NULL,
    status      text NOT NULL,
    next_at     timestamptz,
    last_run_at timestamptz,
    runs        bigint NOT NULL,
    error       text NOT NULL,
    seen_at     timestamptz NOT NULL
);

-- Runs that had something to do, 30 days of them.
CREATE TABLE runs (
    run_id        uuid PRIMARY KEY,
    name          text NOT NULL,
    scheduled_for timestamptz NOT NULL,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz NOT NULL,
    rows_in       integer NOT NULL,
    rows_out      integer NOT NULL,
    error         text NOT NULL
);
CREATE INDEX runs_name ON runs (name, started_at DESC, run_id DESC);
CREATE INDEX runs_ended ON runs (ended_at);

-- What was asked of workflows, from any door, until the executing service's event is back. The id
-- is the correlation id that the command and its answer share; an answer may come first.
CREATE TABLE asks (
    ask_id      text PRIMARY KEY,
    name        text NOT NULL,
    control     text,
    actor       text,
    via         text,
    asked_at    timestamptz,
    answered_at timestamptz,
    refusal     text NOT NULL DEFAULT ''
);
CREATE INDEX asks_name ON asks (name, asked_at DESC);

-- Which campaigns say that they wait for a workflow.
CREATE TABLE waiting_campaigns (
    campaign_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    workflow    text
);
CREATE INDEX waiting_campaigns_workflow ON waiting_campaigns (workflow)
    WHERE workflow IS NOT NULL;

-- The last heartbeat of each service, by the transactional consumer.
CREATE TABLE beats (
    service          text PRIMARY KEY,
    instance         text NOT NULL,
    names            text[] NOT NULL,
    interval_seconds double precision NOT NULL,
    at               timestamptz NOT NULL,
    beats            bigint NOT NULL,
    noted_at         timestamptz NOT NULL
);

-- The same as the stream view sees it, as of as_of: for other replicas, and to compare.
CREATE TABLE heartbeats (
    service          text PRIMARY KEY,
    instance         text NOT NULL,
    names            text[] NOT NULL,
    interval_seconds double precision NOT NULL,
    at               timestamptz NOT NULL,
    beats            bigint NOT NULL,
    as_of            timestamptz NOT NULL
);

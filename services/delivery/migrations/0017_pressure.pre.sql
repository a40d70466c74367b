SET LOCAL lock_timeout = '5s';

-- At most so many messages in any so many days to one recipient; without a channel, over all of them.
CREATE TABLE pressure_rules (
    rule_id  uuid PRIMARY KEY,
    label    text NOT NULL,
    channel  text CHECK (channel IN ('email', 'direct_mail')),
    most     integer NOT NULL CHECK (most > 0),
    days     integer NOT NULL CHECK (days >= 0),
    per      text NOT NULL,
    planned  boolean NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamptz NOT NULL
);

-- How much a campaign's messages weigh against those of others.
ALTER TABLE runs ADD COLUMN weight integer NOT NULL DEFAULT 5;

-- Campaigns that are approved and have not left, and who is meant to get them: the provisional
-- calendar. A row without a snapshot keeps the version that it was last told of.
CREATE TABLE planned (
    campaign_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    snapshot_id uuid,
    start_at    timestamptz NOT NULL,
    weight      integer NOT NULL
);
CREATE UNIQUE INDEX planned_snapshot ON planned (snapshot_id) WHERE snapshot_id IS NOT NULL;
ALTER TABLE snapshot_chunks ADD COLUMN forecast boolean NOT NULL DEFAULT false;
CREATE TABLE forecast (
    snapshot_id   uuid NOT NULL,
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    PRIMARY KEY (snapshot_id, recipient_key)
);
-- Plans that are plans no more: whom they were meant for is removed step by step.
CREATE TABLE stale_forecasts (snapshot_id uuid PRIMARY KEY);

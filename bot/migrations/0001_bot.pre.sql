SET LOCAL lock_timeout = '5s';

-- Read models, from compacted state topics; a lower version never replaces a higher one.
CREATE TABLE campaigns (
    campaign_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    number      integer NOT NULL UNIQUE,
    state       jsonb NOT NULL
);
CREATE TABLE approvals (
    approval_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    campaign_id uuid NOT NULL,
    state       jsonb NOT NULL
);
CREATE INDEX approvals_campaign ON approvals (campaign_id);
CREATE TABLE workflows (
    name        text PRIMARY KEY,
    version     bigint NOT NULL,
    state       jsonb NOT NULL
);
CREATE TABLE heartbeats (
    service     text PRIMARY KEY,
    at          timestamptz NOT NULL,
    interval_seconds double precision NOT NULL
);
-- What the campaign form offers: targetings, templates, budgets, action models, services, stock.
CREATE TABLE choices (
    kind        text NOT NULL,
    id          uuid NOT NULL,
    version     bigint NOT NULL,
    label       text NOT NULL,
    alert       text NOT NULL DEFAULT '',
    PRIMARY KEY (kind, id)
);
CREATE INDEX choices_label ON choices (kind, label);

-- What a card says beside its approval, per campaign.
CREATE TABLE estimates (
    campaign_id uuid PRIMARY KEY,
    amount_minor bigint NOT NULL,
    left_minor  bigint NOT NULL,
    currency    text NOT NULL,
    at          timestamptz NOT NULL
);

-- Forms opened here: the number comes back by message; a proof may be wished for with the save.
CREATE TABLE forms (
    campaign_id uuid PRIMARY KEY,
    operator_id text NOT NULL,
    channel     text NOT NULL,
    number      integer,
    stock_line_id uuid,
    proof_wished boolean NOT NULL DEFAULT false,
    opened_at   timestamptz NOT NULL
);
CREATE INDEX forms_opened ON forms (opened_at);

-- Who asked for what, and where the answer is to be told.
CREATE TABLE asks (
    subject     text NOT NULL,
    operator_id text NOT NULL,
    channel     text NOT NULL,
    asked_at    timestamptz NOT NULL,
    PRIMARY KEY (subject, operator_id)
);

-- What people sent, by identity, so that a payload delivered again has no second effect.
CREATE TABLE slack_inbox (
    key         text PRIMARY KEY,
    taken_at    timestamptz NOT NULL
);
CREATE INDEX slack_inbox_taken ON slack_inbox (taken_at);

-- Messages that Slack shows or is to show: one row each, kept up to date.
CREATE TABLE slack_messages (
    key         text PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    target      text NOT NULL,
    thread_key  text,
    content     jsonb NOT NULL,
    wanted_hash text NOT NULL,
    shown_hash  text,
    channel     text,
    ts          text,
    attempts    integer NOT NULL DEFAULT 0,
    -- Set before the first call and cleared by a definite answer: between, Slack may have it.
    attempted_at timestamptz,
    -- The attempt before this one had no answer: look the message up before posting again.
    unsure_since timestamptz,
    next_at     timestamptz NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    failed      boolean NOT NULL DEFAULT false,
    error       text NOT NULL DEFAULT ''
);
CREATE INDEX slack_messages_due ON slack_messages (next_at)
    WHERE shown_hash IS DISTINCT FROM wanted_hash AND NOT failed;
CREATE INDEX slack_messages_unposted ON slack_messages (target, seq)
    WHERE ts IS NULL AND NOT failed;

-- Calls made once: forms to open or change, words to one person. A lane keeps its order.
CREATE TABLE slack_calls (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL UNIQUE,
    lane        text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('open', 'update', 'tell')),
    arguments   jsonb NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    done_at     timestamptz,
    error       text NOT NULL DEFAULT ''
);
CREATE INDEX slack_calls_due ON slack_calls (lane, seq) WHERE done_at IS NULL;

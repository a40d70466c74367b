SET LOCAL lock_timeout = '5s';

-- Execution accounts: each takes the events of the systems whose source begins so, the longest first.
CREATE TABLE execution_accounts (
    name          text PRIMARY KEY,
    label         text NOT NULL,
    source_prefix text NOT NULL DEFAULT '',
    active        boolean NOT NULL DEFAULT true
);
INSERT INTO execution_accounts (name, label) VALUES ('default', 'Default');

-- How far each step of an account's synchronisation has come, and which of them comes next.
-- What was known at reached_at is in the archive; reached_id parts events of one moment.
CREATE TABLE archive_pointers (
    account    text NOT NULL REFERENCES execution_accounts,
    step       text NOT NULL,
    reached_at timestamptz NOT NULL DEFAULT '-infinity',
    reached_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    rows       bigint NOT NULL DEFAULT 0,
    is_next    boolean NOT NULL DEFAULT false,
    due_at     timestamptz,
    PRIMARY KEY (account, step)
);

-- Processed events as they stand at their end: neither address nor ctx. purged_at: the event itself
-- is gone and the archive alone knows it. week is the Monday of its last change.
CREATE TABLE archived_events (
    event_id         uuid PRIMARY KEY,
    seq              bigint NOT NULL,
    account          text NOT NULL,
    event_type       text NOT NULL,
    queue            text NOT NULL,
    channel          text NOT NULL,
    language         text,
    country          text,
    email_format     text,
    origin           text,
    source           text,
    ce_id            text,
    external_id      text,
    recipient_key    text,
    status           text NOT NULL,
    reason           text NOT NULL,
    version          bigint NOT NULL,
    template_id      uuid,
    template_version bigint,
    resent_from      uuid,
    received_at      timestamptz NOT NULL,
    scheduled_at     timestamptz,
    expires_at       timestamptz,
    changed_at       timestamptz NOT NULL,
    week             date NOT NULL,
    archived_at      timestamptz NOT NULL,
    purged_at        timestamptz
);
CREATE INDEX archived_events_purged ON archived_events (seq DESC) WHERE purged_at IS NOT NULL;
CREATE INDEX archived_events_week ON archived_events (week, template_id, seq DESC);
CREATE INDEX archived_events_external ON archived_events (external_id, seq DESC)
    WHERE external_id IS NOT NULL;
CREATE INDEX archived_events_recipient ON archived_events (recipient_key, seq DESC)
    WHERE recipient_key IS NOT NULL;
CREATE INDEX archived_events_age ON archived_events (changed_at, event_id);

-- One line per template, week and status: what Message Center calls the archive's deliveries.
CREATE TABLE archived_deliveries (
    week        date NOT NULL,
    template_id uuid,
    channel     text NOT NULL,
    event_type  text NOT NULL,
    status      text NOT NULL,
    events      bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (week, template_id, channel, event_type, status)
);

-- Archived events whose delivery logs are still to be taken over.
CREATE TABLE archive_due (event_id uuid PRIMARY KEY, account text NOT NULL);
CREATE INDEX archive_due_account ON archive_due (account, event_id);

-- What the delivery said of an archived event's message.
CREATE TABLE archived_delivery_logs (
    event_id    uuid NOT NULL REFERENCES archived_events ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL,
    reason      text NOT NULL,
    archived_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, at, outcome)
);

-- What the delivery says of an event that was purged already: its archive alone can change.
CREATE TABLE late_outcomes (
    event_id uuid NOT NULL,
    outcome  text NOT NULL,
    at       timestamptz NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (event_id, at, outcome)
);

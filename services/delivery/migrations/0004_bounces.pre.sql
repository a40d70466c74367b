SET LOCAL lock_timeout = '5s';

-- Mails that came to the bounce address, written before they are accepted, read afterwards.
-- They hold personal data and go after BOUNCE_KEEP_DAYS; what they said stays in failures.
CREATE TABLE inbound_mails (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest        bytea NOT NULL UNIQUE,
    way           text NOT NULL CHECK (way IN ('smtp', 'imap')),
    recipients    text[] NOT NULL,
    raw           bytea NOT NULL,
    received_at   timestamptz NOT NULL,
    handled_at    timestamptz,
    kind          text NOT NULL DEFAULT '',
    matched       boolean NOT NULL DEFAULT false,
    recipient_key text
);
CREATE INDEX inbound_mails_new ON inbound_mails (seq) WHERE handled_at IS NULL;
CREATE INDEX inbound_mails_old ON inbound_mails (handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX inbound_mails_person ON inbound_mails (recipient_key) WHERE recipient_key IS NOT NULL;

-- What went wrong with messages, once each: refused in the session, bounced later, complained
-- about. The key makes a report that comes again change nothing.
CREATE TABLE failures (
    run_id        uuid NOT NULL,
    member_id     uuid NOT NULL,
    code          text NOT NULL,
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('refusal', 'bounce', 'complaint')),
    reason        smallint NOT NULL,
    severity      text NOT NULL CHECK (severity IN ('hard', 'soft', 'ignored')),
    at            timestamptz NOT NULL,
    settled       boolean NOT NULL,
    PRIMARY KEY (run_id, member_id, code)
);
CREATE INDEX failures_address ON failures (recipient_key, channel);
-- Bounces whose ledger rows are still to be told.
CREATE INDEX failures_open ON failures (run_id, member_id) WHERE NOT settled;

-- Where addresses stand, under their keyed hashes. It follows from failures since released_at.
CREATE TABLE quarantine (
    recipient_key  text NOT NULL,
    channel        text NOT NULL,
    status         text NOT NULL DEFAULT 'valid'
                   CHECK (status IN ('valid', 'with_errors', 'quarantine', 'denylisted')),
    soft_errors    integer NOT NULL DEFAULT 0,
    significant_at timestamptz,
    forgotten_at   timestamptz,
    reason         smallint NOT NULL DEFAULT 0,
    since          timestamptz NOT NULL,
    released_at    timestamptz,
    PRIMARY KEY (recipient_key, channel)
);
CREATE INDEX quarantine_status ON quarantine (status, since, recipient_key);
CREATE INDEX quarantine_forgotten ON quarantine (forgotten_at) WHERE status = 'with_errors';

-- Who or what changed the standing of an address; "system:delivery" is the rules, and run_id the
-- run whose message did it.
CREATE TABLE quarantine_journal (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    before        text NOT NULL,
    after         text NOT NULL,
    reason        text NOT NULL,
    actor         text NOT NULL,
    run_id        uuid,
    at            timestamptz NOT NULL
);
CREATE INDEX quarantine_journal_address ON quarantine_journal (recipient_key, channel, seq);
CREATE INDEX quarantine_journal_run ON quarantine_journal (run_id) WHERE run_id IS NOT NULL;

-- Servers' words without anybody's data, how often they came, and what they mean.
CREATE TABLE bounce_messages (
    text_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text      text NOT NULL UNIQUE,
    status    text NOT NULL CHECK (status IN ('to_qualify', 'keep', 'ignore')),
    reason    smallint NOT NULL,
    severity  text NOT NULL CHECK (severity IN ('hard', 'soft', 'ignored')),
    by_person boolean NOT NULL DEFAULT false,
    count     bigint NOT NULL DEFAULT 0,
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL
);
CREATE INDEX bounce_messages_status ON bounce_messages (status, count DESC, text_id);

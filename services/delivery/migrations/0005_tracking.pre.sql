SET LOCAL lock_timeout = '5s';

-- What a template's author switched on; part of the content's hash.
ALTER TABLE templates ADD COLUMN tracking text[] NOT NULL DEFAULT '{}';
ALTER TABLE contents ADD COLUMN tracking text[] NOT NULL DEFAULT '{}';
-- Whether its recipients' data is needed after sending.
ALTER TABLE contents ADD COLUMN copies boolean NOT NULL DEFAULT false;

-- What can be opened or followed in a content: its links in order, and the three that every tracked
-- content has (1 the open, 2 the opt-out, 3 the mirror page).
CREATE TABLE tracked_urls (
    template_hash text NOT NULL REFERENCES contents (template_hash) ON DELETE CASCADE,
    number        smallint NOT NULL,
    kind          smallint NOT NULL,
    part          text NOT NULL CHECK (part IN ('html', 'text')),
    url           text NOT NULL,
    label         text NOT NULL,
    PRIMARY KEY (template_hash, number)
);

-- What a recipient's mirror page and personal links are made of, once the ledger has forgotten it:
-- only where the content asks for it, gone a year later or with the person.
CREATE TABLE personal_copies (
    run_id    uuid NOT NULL,
    member_id uuid NOT NULL,
    merge     jsonb NOT NULL,
    kept_at   timestamptz NOT NULL,
    PRIMARY KEY (run_id, member_id)
);
CREATE INDEX personal_copies_age ON personal_copies (kept_at);

-- Every open, click, opt-out and mirror page seen, written before its answer. The id is made with
-- the event, so that a batch written again after a lost commit changes nothing.
CREATE TABLE tracking_log (
    event_id     uuid PRIMARY KEY,
    run_id       uuid NOT NULL,
    member_id    uuid NOT NULL,
    kind         smallint NOT NULL CHECK (kind BETWEEN 1 AND 6),
    url          smallint NOT NULL,
    at           timestamptz NOT NULL,
    source       bytea NOT NULL,
    agent        text NOT NULL,
    is_machine   boolean NOT NULL,
    amount_minor bigint NOT NULL DEFAULT 0,
    counted      boolean NOT NULL DEFAULT false
);
-- The tracking workflow's pointer: rows that are in no window yet. A mark on the row, not a highest
-- id, because rows are committed in another order than their ids were made.
CREATE INDEX tracking_log_uncounted ON tracking_log (event_id) WHERE NOT counted;
CREATE INDEX tracking_log_run ON tracking_log (run_id, kind, member_id);

-- Events of five minutes; they name nobody and outlive the log.
CREATE TABLE tracking_windows (
    run_id   uuid NOT NULL,
    url      smallint NOT NULL,
    kind     smallint NOT NULL,
    begins   timestamptz NOT NULL,
    events   integer NOT NULL,
    machines integer NOT NULL,
    PRIMARY KEY (run_id, url, kind, begins)
);
CREATE INDEX tracking_windows_age ON tracking_windows (begins);

-- Deliveries whose indicators are to be computed again, and the latest ones.
CREATE TABLE indicator_marks (
    run_id uuid PRIMARY KEY
);
CREATE TABLE delivery_indicators (
    delivery_id uuid PRIMARY KEY,
    figures     jsonb NOT NULL,
    as_of       timestamptz NOT NULL
);

-- What the live view last showed; it is a picture, the log and the ledger are the truth.
CREATE TABLE live_activity (
    run_id  uuid PRIMARY KEY,
    totals  jsonb NOT NULL,
    minute  jsonb NOT NULL,
    hour    jsonb NOT NULL,
    last_at timestamptz NOT NULL,
    as_of   timestamptz NOT NULL
);

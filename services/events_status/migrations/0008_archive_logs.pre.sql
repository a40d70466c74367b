SET LOCAL lock_timeout = '5s';

-- What the delivery told, until its step of a synchronisation takes it over.
CREATE TABLE incoming_qualifications (
    text     text PRIMARY KEY,
    reason   smallint NOT NULL,
    severity text NOT NULL,
    status   text NOT NULL,
    at       timestamptz NOT NULL
);
CREATE TABLE incoming_answers (
    event_id uuid NOT NULL,
    text     text NOT NULL,
    kind     text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (event_id, text, kind)
);
CREATE TABLE incoming_urls (
    content_hash text NOT NULL,
    number       integer NOT NULL,
    kind         smallint NOT NULL,
    url          text NOT NULL,
    label        text NOT NULL,
    PRIMARY KEY (content_hash, number)
);
CREATE TABLE incoming_tracking (
    tracking_id  uuid PRIMARY KEY,
    event_id     uuid NOT NULL,
    content_hash text NOT NULL,
    number       integer NOT NULL,
    kind         smallint NOT NULL,
    at           timestamptz NOT NULL,
    is_machine   boolean NOT NULL
);
CREATE TABLE incoming_quarantine (
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    status        text NOT NULL,
    reason        smallint,
    at            timestamptz NOT NULL,
    PRIMARY KEY (recipient_key, channel)
);

-- What texts of mail servers mean, by a person's word or by the rules.
CREATE TABLE archived_qualifications (
    qualification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text             text NOT NULL UNIQUE,
    reason           smallint NOT NULL,
    severity         text NOT NULL,
    status           text NOT NULL,
    at               timestamptz NOT NULL
);
-- What servers said of an archived event's message.
CREATE TABLE archived_answers (
    event_id         uuid NOT NULL REFERENCES archived_events ON DELETE CASCADE,
    qualification_id bigint NOT NULL REFERENCES archived_qualifications,
    kind             text NOT NULL,
    at               timestamptz NOT NULL,
    PRIMARY KEY (event_id, qualification_id, kind)
);
CREATE TABLE archived_urls (
    content_hash text NOT NULL,
    number       integer NOT NULL,
    kind         smallint NOT NULL,
    url          text NOT NULL,
    label        text NOT NULL,
    PRIMARY KEY (content_hash, number)
);
CREATE TABLE archived_tracking_logs (
    tracking_id  uuid PRIMARY KEY,
    event_id     uuid NOT NULL REFERENCES archived_events ON DELETE CASCADE,
    content_hash text NOT NULL,
    number       integer NOT NULL,
    kind         smallint NOT NULL,
    at           timestamptz NOT NULL,
    is_machine   boolean NOT NULL,
    FOREIGN KEY (content_hash, number) REFERENCES archived_urls
);
CREATE INDEX archived_tracking_logs_event ON archived_tracking_logs (event_id);
-- Where addresses stand that were quarantined or denylisted once; keys, never addresses.
CREATE TABLE archived_quarantine (
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    status        text NOT NULL,
    reason        smallint,
    at            timestamptz NOT NULL,
    PRIMARY KEY (recipient_key, channel)
);

-- Every control of an event that came as a message, by its identity: one replayed does nothing.
CREATE TABLE event_controls (
    source     text NOT NULL,
    command_id text NOT NULL,
    event_id   uuid NOT NULL,
    control    text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (source, command_id)
);
CREATE INDEX event_controls_age ON event_controls (at);

-- States read back from their topic by a rebuild; empty otherwise. Lost in a crash of the server: it
-- begins anew then.
CREATE UNLOGGED TABLE rebuilt_states (
    event_id    uuid PRIMARY KEY,
    version     bigint NOT NULL,
    event_type  text NOT NULL,
    status      text NOT NULL,
    channel     text,
    queue       text,
    external_id text,
    received_at timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL
);

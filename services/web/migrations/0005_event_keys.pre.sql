SET LOCAL lock_timeout = '5s';

-- The keys that pushed events came with: of a whole request (a part is a chunk of its body) or of
-- one event (part 0). base makes the ids of its events, so whoever takes the call over repeats them.
-- under_way_until is null once Kafka has the events.
CREATE TABLE event_keys (
    operator_id     uuid NOT NULL REFERENCES accounts (operator_id) ON DELETE CASCADE,
    scope           text NOT NULL CHECK (scope IN ('request', 'event')),
    key             text NOT NULL,
    part            integer NOT NULL,
    body_sha256     bytea NOT NULL,
    base            uuid NOT NULL,
    under_way_until timestamptz,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (operator_id, scope, key, part)
);
CREATE INDEX event_keys_expires ON event_keys (expires_at);

SET LOCAL lock_timeout = '5s';

-- What came in from outside, once per CloudEvents identity; seq pages lists.
CREATE TABLE events (
    event_id      uuid PRIMARY KEY,
    seq           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    source        text NOT NULL,
    ce_id         text NOT NULL,
    event_type    text NOT NULL,
    queue         text NOT NULL CHECK (queue IN ('realtime', 'batch')),
    channel       text NOT NULL,
    address       text NOT NULL,
    recipient_key text NOT NULL,
    language      text NOT NULL,
    external_id   text,
    ctx           jsonb NOT NULL,
    status        text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    version       bigint NOT NULL DEFAULT 1,
    template_id   uuid,
    received_at   timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    erased_at     timestamptz,
    UNIQUE (source, ce_id)
);
CREATE INDEX events_pending ON events (queue, seq) WHERE status = 'pending';
CREATE INDEX events_status ON events (status, seq DESC);
CREATE INDEX events_type ON events (event_type, seq DESC);
CREATE INDEX events_external ON events (external_id, seq DESC) WHERE external_id IS NOT NULL;
CREATE INDEX events_recipient ON events (recipient_key, seq DESC);

-- Every status an event ever had; version counts them.
CREATE TABLE event_history (
    event_id uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    version  bigint NOT NULL,
    before   text,
    after    text NOT NULL,
    reason   text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (event_id, version)
);

-- The one message that each routed event was given.
CREATE TABLE event_messages (
    event_id    uuid PRIMARY KEY REFERENCES events (event_id) ON DELETE CASCADE,
    template_id uuid NOT NULL,
    asked_at    timestamptz NOT NULL
);

-- What the delivery said of each message; copied_at is set once updateEventsStatus has read it.
CREATE TABLE outcomes (
    event_id  uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    outcome   text NOT NULL,
    at        timestamptz NOT NULL,
    reason    text NOT NULL,
    copied_at timestamptz,
    PRIMARY KEY (event_id, at, outcome)
);
CREATE INDEX outcomes_waiting ON outcomes (at, event_id) WHERE copied_at IS NULL;

-- Which template the events of a type and channel use.
CREATE TABLE routes (
    event_type  text NOT NULL,
    channel     text NOT NULL,
    template_id uuid NOT NULL,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (event_type, channel)
);

-- Every change of a route, by the command that made it: a command replayed changes nothing.
CREATE TABLE route_changes (
    source      text NOT NULL,
    command_id  text NOT NULL,
    event_type  text NOT NULL,
    template_id uuid,
    actor       text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (source, command_id)
);

-- The names of templates, to show where a route leads.
CREATE TABLE templates (
    template_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    label       text NOT NULL,
    language    text NOT NULL
);

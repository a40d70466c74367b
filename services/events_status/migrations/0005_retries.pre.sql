SET LOCAL lock_timeout = '5s';

-- errors counts the tries that failed; waits_until is then the next one. An event re-created on
-- another channel names the one it was recycled from, and the channels tried before its own.
ALTER TABLE events
    ADD COLUMN errors         integer NOT NULL DEFAULT 0 CHECK (errors >= 0),
    ADD COLUMN recycled_from  uuid,
    ADD COLUMN tried_channels text[];
CREATE INDEX events_recycled ON events (recycled_from) WHERE recycled_from IS NOT NULL;

-- The addresses an event has for channels other than its own; most events have none.
CREATE TABLE event_addresses (
    event_id      uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    channel       text NOT NULL,
    address       text NOT NULL,
    recipient_key text NOT NULL,
    PRIMARY KEY (event_id, channel)
);
CREATE INDEX event_addresses_recipient ON event_addresses (recipient_key);

-- The message asked for anew once the delivery had not taken the one before: whose it is.
CREATE TABLE event_retries (
    message_id uuid PRIMARY KEY,
    event_id   uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE
);
CREATE INDEX event_retries_event ON event_retries (event_id);
ALTER TABLE outcomes ADD COLUMN not_taken boolean NOT NULL DEFAULT false;

-- What is done with the events of a type beside routing them.
CREATE TABLE event_rules (
    event_type text PRIMARY KEY,
    enrich     boolean NOT NULL,
    recycle_to text,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
-- Every change of a rule, by the command that made it: a command replayed changes nothing.
CREATE TABLE event_rule_changes (
    source     text NOT NULL,
    command_id text NOT NULL,
    event_type text NOT NULL,
    enrich     boolean NOT NULL,
    recycle_to text,
    actor      text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (source, command_id)
);

-- Events whose ctx is to be enriched before they are routed; calls counts those made for one, and
-- claim names the one under way until lease_until. Meanwhile the event's waits_until is infinite.
CREATE TABLE event_enrichments (
    event_id    uuid PRIMARY KEY REFERENCES events (event_id) ON DELETE CASCADE,
    queue       text NOT NULL CHECK (queue IN ('realtime', 'batch')),
    asked_at    timestamptz NOT NULL,
    calls       integer NOT NULL DEFAULT 0,
    claim       uuid,
    lease_until timestamptz,
    done_at     timestamptz
);
CREATE INDEX event_enrichments_open ON event_enrichments (queue DESC, asked_at, event_id)
    WHERE done_at IS NULL;

-- Events in delivery error that eventsRecycling has not looked at yet.
CREATE TABLE recycling_due (
    event_id uuid PRIMARY KEY REFERENCES events (event_id) ON DELETE CASCADE,
    at       timestamptz NOT NULL
);

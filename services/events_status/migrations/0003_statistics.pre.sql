SET LOCAL lock_timeout = '5s';

-- An event that a person sent again names the one it repeats.
ALTER TABLE events ADD COLUMN resent_from uuid;
CREATE INDEX events_changed ON events (changed_at, event_id);

-- Events by day of intake (in the instance's zone), channel, type and status; they outlive the events:
-- those that are still rows, and those that were purged with that status.
CREATE TABLE event_statistics (
    day        date NOT NULL,
    channel    text NOT NULL,
    event_type text NOT NULL,
    status     text NOT NULL,
    events     bigint NOT NULL DEFAULT 0,
    purged     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, channel, event_type, status)
);
-- Days whose events changed since they were counted, and until when changes were looked at.
CREATE TABLE statistics_due (day date PRIMARY KEY);
CREATE TABLE statistics_pointer (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    looked_at  timestamptz NOT NULL DEFAULT '-infinity',
    counted_at timestamptz
);
INSERT INTO statistics_pointer DEFAULT VALUES;

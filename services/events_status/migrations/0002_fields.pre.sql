SET LOCAL lock_timeout = '5s';

-- What a sender may say besides: where it happened, for whom, from when and until when it counts.
-- waits_until is the scheduled time while it lies ahead, null once the event may be processed.
ALTER TABLE events
    ADD COLUMN origin       text,
    ADD COLUMN country      text,
    ADD COLUMN email_format text,
    ADD COLUMN scheduled_at timestamptz,
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN waits_until  timestamptz;
DROP INDEX events_pending;
CREATE INDEX events_pending ON events (queue, seq) WHERE status = 'pending' AND waits_until IS NULL;
CREATE INDEX events_due ON events (queue, waits_until)
    WHERE status = 'pending' AND waits_until IS NOT NULL;

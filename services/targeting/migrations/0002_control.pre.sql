SET LOCAL lock_timeout = '5s';

-- What of a target gets nothing, as it was asked for, and how many that came to.
ALTER TABLE snapshots
    ADD COLUMN control_group jsonb,
    ADD COLUMN control integer NOT NULL DEFAULT 0;

-- Who was held out, to be compared with those who got something.
CREATE TABLE snapshot_controls (
    snapshot_id   uuid NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    member_id     uuid NOT NULL,
    contact_id    uuid,
    recipient_key text,
    PRIMARY KEY (snapshot_id, member_id)
);
CREATE TRIGGER frozen_controls_stay AFTER DELETE ON snapshot_controls
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_frozen_members();

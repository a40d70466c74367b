SET LOCAL lock_timeout = '5s';

-- Occurrences of which one approval may stand for all, and whose approval each one stands on; without
-- one, it was asked for itself.
CREATE TABLE occurrences (
    campaign_id uuid PRIMARY KEY,
    series_id   uuid NOT NULL,
    stands_on   uuid REFERENCES approvals (approval_id)
);
CREATE INDEX occurrences_series ON occurrences (series_id);

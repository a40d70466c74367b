SET LOCAL lock_timeout = '5s';

-- Money that a person must approve before a campaign goes on, and what became of it.
CREATE TABLE funds (
    hold_id     uuid PRIMARY KEY,
    asked       jsonb NOT NULL,
    asked_at    timestamptz NOT NULL,
    outcome     text NOT NULL DEFAULT 'pending'
                CHECK (outcome IN ('pending', 'approved', 'refused', 'given_back')),
    decided_by  text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    ended_at    timestamptz
);
CREATE INDEX funds_pending ON funds (asked_at, hold_id) WHERE outcome = 'pending';

-- What the Home tab warns of, finished campaigns whose accounts wait for a stopped workflow included.
CREATE INDEX campaigns_troubled ON campaigns (number)
    WHERE status = 'error' OR state->>'waiting_workflow' IS NOT NULL;

SET LOCAL lock_timeout = '5s';

-- A campaign form goes in steps: what was typed so far, by field as Slack sends it, which step is
-- shown (0: saved), and what the services answered about the target, the cost and the goods.
ALTER TABLE forms
    ADD COLUMN typed jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN step smallint NOT NULL DEFAULT 0,
    -- Counts the steps taken: a change meant for an earlier one is not made.
    ADD COLUMN turn integer NOT NULL DEFAULT 0,
    -- Slack's hash of the view as last changed in this turn, when known.
    ADD COLUMN view_hash text,
    -- The form's own criteria as last saved, and under which id.
    ADD COLUMN criteria jsonb,
    ADD COLUMN criteria_id uuid,
    -- The count, cost and goods as last answered.
    ADD COLUMN counted jsonb,
    ADD COLUMN cost jsonb,
    ADD COLUMN goods jsonb;
CREATE INDEX forms_criteria ON forms (criteria_id) WHERE step <> 0;

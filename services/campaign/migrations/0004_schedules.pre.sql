SET LOCAL lock_timeout = '5s';

CREATE TABLE plans (
    plan_id     uuid PRIMARY KEY,
    label       text NOT NULL,
    start_on    date NOT NULL,
    end_on      date NOT NULL CHECK (end_on >= start_on),
    description text NOT NULL,
    budget_id   uuid,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    version     bigint NOT NULL
);
CREATE UNIQUE INDEX plans_label ON plans (lower(label));

CREATE TABLE programs (
    program_id  uuid PRIMARY KEY,
    plan_id     uuid NOT NULL REFERENCES plans (plan_id),
    label       text NOT NULL,
    start_on    date NOT NULL,
    end_on      date NOT NULL CHECK (end_on >= start_on),
    description text NOT NULL,
    budget_id   uuid,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    version     bigint NOT NULL
);
CREATE UNIQUE INDEX programs_label ON programs (plan_id, lower(label));

-- An occurrence is a campaign that names its series; its start and its approval have their own time.
ALTER TABLE campaigns
    ADD COLUMN kind text NOT NULL DEFAULT 'unique'
        CHECK (kind IN ('unique', 'recurring', 'periodic')),
    ADD COLUMN program_id uuid REFERENCES programs (program_id),
    ADD COLUMN series_id uuid,
    ADD COLUMN occurrence integer,
    ADD COLUMN next_at timestamptz,
    ADD COLUMN priority smallint NOT NULL DEFAULT 5,
    ADD COLUMN low_activity boolean NOT NULL DEFAULT false,
    ADD COLUMN auto_start boolean NOT NULL DEFAULT true,
    ADD COLUMN confirmed boolean NOT NULL DEFAULT false,
    ADD COLUMN held_back text CHECK (held_back IN ('missed', 'queued', 'window', 'series')),
    ADD COLUMN prove_at timestamptz,
    ADD COLUMN ready_at timestamptz,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN control_group jsonb,
    ADD COLUMN control_members integer NOT NULL DEFAULT 0;
-- A campaign that was ready before this file came waits for its start since its last change.
UPDATE campaigns SET ready_at = modified_at WHERE status = 'ready_to_run' AND approved;
UPDATE campaigns SET started_at = modified_at WHERE status = 'running';
CREATE INDEX campaigns_program ON campaigns (program_id, number DESC) WHERE program_id IS NOT NULL;
CREATE INDEX campaigns_series ON campaigns (series_id) WHERE series_id IS NOT NULL;
CREATE INDEX campaigns_to_prove ON campaigns (prove_at) WHERE prove_at IS NOT NULL;

-- How far the schedule of a recurring or periodic campaign was followed, and when to look again.
CREATE TABLE schedules (
    campaign_id uuid PRIMARY KEY REFERENCES campaigns (campaign_id) ON DELETE CASCADE,
    schedule    jsonb NOT NULL,
    since       timestamptz NOT NULL,
    through     timestamp,
    look_at     timestamptz,
    created     integer NOT NULL
);
CREATE INDEX schedules_look ON schedules (look_at) WHERE look_at IS NOT NULL;

-- The identity of an occurrence is what the clocks of its zone show: one campaign each, for ever.
CREATE TABLE occurrences (
    campaign_id   uuid NOT NULL REFERENCES campaigns (campaign_id) ON DELETE CASCADE,
    local_at      timestamp NOT NULL,
    zone          text NOT NULL,
    number        integer NOT NULL,
    starts_at     timestamptz NOT NULL,
    occurrence_id uuid NOT NULL UNIQUE
        REFERENCES campaigns (campaign_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, local_at, zone),
    UNIQUE (campaign_id, number)
);

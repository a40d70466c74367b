SET LOCAL lock_timeout = '5s';

-- What budgetMgt has to roll up; ranks order parts before what they belong to.
CREATE TABLE recalculations (
    kind             text NOT NULL,
    object_id        uuid NOT NULL,
    rank             integer NOT NULL,
    asked_at         timestamptz NOT NULL,
    PRIMARY KEY (kind, object_id)
);
CREATE INDEX recalculations_order ON recalculations (rank, asked_at);

-- What campaigns, programs and plans cost, in each currency of their budgets.
CREATE TABLE rollups (
    kind              text NOT NULL CHECK (kind IN ('plan', 'program', 'campaign')),
    object_id         uuid NOT NULL,
    currency          text NOT NULL,
    program_id        uuid,
    plan_id           uuid,
    provisional_minor bigint,
    calculated_minor  bigint,
    real_minor        bigint,
    planned_minor     bigint NOT NULL,
    reserved_minor    bigint NOT NULL,
    committed_minor   bigint NOT NULL,
    spent_minor       bigint NOT NULL,
    invoiced_minor    bigint NOT NULL,
    calculated_at     timestamptz NOT NULL,
    PRIMARY KEY (kind, object_id, currency)
);
CREATE INDEX rollups_program ON rollups (program_id) WHERE program_id IS NOT NULL;
CREATE INDEX rollups_plan ON rollups (plan_id) WHERE plan_id IS NOT NULL;

INSERT INTO recalculations (kind, object_id, rank, asked_at)
SELECT DISTINCT 'campaign', campaign_id, 1, now() FROM expenses WHERE campaign_id IS NOT NULL;

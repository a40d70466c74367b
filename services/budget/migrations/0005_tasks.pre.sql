SET LOCAL lock_timeout = '5s';

-- Work of people; the prices of its cost lines are those of when it was saved.
CREATE TABLE tasks (
    task_id         uuid PRIMARY KEY,
    version         bigint NOT NULL,
    label           text NOT NULL,
    campaign_id     uuid,
    program_id      uuid,
    plan_id         uuid,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    in_charge_id    uuid,
    status          text NOT NULL
                    CHECK (status IN ('scheduled', 'in_progress', 'finished', 'cancelled')),
    budget_id       uuid REFERENCES budgets,
    entry           text NOT NULL CHECK (entry IN ('editing', 'specified')),
    level           text NOT NULL CHECK (level IN ('planned', 'reserved', 'committed')),
    structures      jsonb NOT NULL,
    choices         jsonb NOT NULL,
    planned_days    numeric(8, 2) NOT NULL CHECK (planned_days >= 0),
    done_days       numeric(8, 2) CHECK (done_days >= 0),
    CHECK (ends_at >= starts_at),
    CHECK (campaign_id IS NOT NULL OR program_id IS NOT NULL)
);
CREATE INDEX tasks_campaign ON tasks (campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX tasks_program ON tasks (program_id) WHERE program_id IS NOT NULL;
CREATE INDEX tasks_in_charge ON tasks (in_charge_id, ends_at)
    WHERE status IN ('scheduled', 'in_progress');

-- What a finished task cost.
CREATE TABLE task_lines (
    task_id         uuid NOT NULL REFERENCES tasks,
    structure_id    uuid NOT NULL,
    position        integer NOT NULL,
    category        text NOT NULL,
    label           text NOT NULL,
    formula         text NOT NULL,
    unit_price      numeric(12, 6) NOT NULL,
    quantity        numeric(8, 2) NOT NULL CHECK (quantity > 0),
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    surcharge_minor bigint NOT NULL CHECK (surcharge_minor >= 0),
    PRIMARY KEY (task_id, structure_id)
);

SET LOCAL lock_timeout = '5s';

-- Thresholds and batches of cost structures.
ALTER TABLE cost_structures
    ADD COLUMN per           integer NOT NULL DEFAULT 1 CHECK (per > 0),
    ADD COLUMN whole_batches boolean NOT NULL DEFAULT false,
    ADD COLUMN bands         jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT cost_structures_formula_check,
    ADD CONSTRAINT cost_structures_formula_check
        CHECK (formula IN ('fixed', 'linear', 'linear_bands', 'constant_bands', 'daily'));

-- Categories whose cost types exclude each other.
CREATE TABLE cost_categories (
    budget_id       uuid NOT NULL REFERENCES budgets,
    label           text NOT NULL,
    position        integer NOT NULL,
    process         text NOT NULL,
    default_id      uuid,
    must_choose     boolean NOT NULL,
    envelope_minor  bigint NOT NULL CHECK (envelope_minor >= 0),
    PRIMARY KEY (budget_id, label)
);

-- Cost types and surcharges chosen for one campaign.
CREATE TABLE campaign_choices (
    campaign_id     uuid NOT NULL,
    budget_id       uuid NOT NULL REFERENCES budgets,
    choices         jsonb NOT NULL,
    PRIMARY KEY (campaign_id, budget_id)
);

ALTER TABLE holds
    ADD COLUMN categories jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN choices    jsonb NOT NULL DEFAULT '[]';

ALTER TABLE cost_lines
    ADD COLUMN surcharge_minor bigint NOT NULL DEFAULT 0 CHECK (surcharge_minor >= 0);

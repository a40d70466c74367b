SET LOCAL lock_timeout = '5s';

-- A budget and its balances; each balance is the sum of its account in ledger_entries.
CREATE TABLE budgets (
    budget_id       uuid PRIMARY KEY,
    version         bigint NOT NULL,
    label           text NOT NULL,
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    allocated_minor bigint NOT NULL DEFAULT 0 CHECK (allocated_minor >= 0),
    reserved_minor  bigint NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
    spent_minor     bigint NOT NULL DEFAULT 0 CHECK (spent_minor >= 0),
    starts_on       date,
    ends_on         date,
    calculated_at   timestamptz
);

CREATE TABLE cost_structures (
    budget_id       uuid NOT NULL REFERENCES budgets,
    structure_id    uuid NOT NULL,
    position        integer NOT NULL,
    category        text NOT NULL,
    label           text NOT NULL,
    formula         text NOT NULL CHECK (formula IN ('fixed', 'linear')),
    driver          text NOT NULL,
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    unit_price      numeric(12, 6) NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (budget_id, structure_id)
);

-- The prices a hold was computed with stay those of its campaign: approval binds to what was seen.
-- budget_id is NULL when a hold was given back before it was asked for.
CREATE TABLE holds (
    hold_id         uuid PRIMARY KEY,
    campaign_id     uuid NOT NULL,
    campaign_number integer,
    campaign_label  text,
    budget_id       uuid,
    status          text NOT NULL
                    CHECK (status IN ('asked', 'held', 'refused', 'released', 'committed')),
    amount_minor    bigint NOT NULL DEFAULT 0 CHECK (amount_minor >= 0),
    structures      jsonb NOT NULL DEFAULT '[]',
    asked_at        timestamptz NOT NULL,
    CHECK (amount_minor = 0 OR status = 'held')
);
CREATE INDEX holds_campaign ON holds (campaign_id);
CREATE INDEX holds_budget ON holds (budget_id);

-- What budgetMgt has to compute; a row may come before its hold.
CREATE TABLE commits (
    hold_id         uuid PRIMARY KEY,
    campaign_id     uuid NOT NULL,
    volumes         jsonb NOT NULL,
    requested_at    timestamptz NOT NULL,
    booked_at       timestamptz,
    over_hold_minor bigint NOT NULL DEFAULT 0 CHECK (over_hold_minor >= 0)
);
CREATE INDEX commits_waiting ON commits (requested_at) WHERE booked_at IS NULL;

CREATE TABLE cost_lines (
    hold_id         uuid NOT NULL REFERENCES holds,
    structure_id    uuid NOT NULL,
    campaign_id     uuid NOT NULL,
    budget_id       uuid NOT NULL REFERENCES budgets,
    position        integer NOT NULL,
    category        text NOT NULL,
    label           text NOT NULL,
    formula         text NOT NULL,
    driver          text NOT NULL,
    unit_price      numeric(12, 6) NOT NULL,
    quantity        bigint NOT NULL CHECK (quantity > 0),
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (hold_id, structure_id)
);
CREATE INDEX cost_lines_campaign ON cost_lines (campaign_id);
CREATE UNIQUE INDEX cost_lines_fixed_once ON cost_lines (campaign_id, budget_id, structure_id)
    WHERE formula = 'fixed';

-- Every movement, once per cause and kind; seq is taken while the budget's row is locked.
CREATE TABLE ledger_entries (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget_id       uuid NOT NULL REFERENCES budgets,
    cause           text NOT NULL,
    kind            text NOT NULL
                    CHECK (kind IN ('allocate', 'reserve', 'release', 'commit', 'spend')),
    account         text NOT NULL CHECK (account IN ('allocated', 'reserved', 'spent')),
    amount_minor    bigint NOT NULL,
    booked_at       timestamptz NOT NULL,
    UNIQUE (cause, kind)
);
CREATE INDEX ledger_entries_budget ON ledger_entries (budget_id, seq);

-- What a command was answered: the same command gets the same answer again.
CREATE TABLE answers (
    cause           uuid NOT NULL,
    command         text NOT NULL,
    ce_type         text NOT NULL,
    body            text NOT NULL,
    PRIMARY KEY (cause, command)
);

-- Saves that came as messages: one read again must not undo a later one.
CREATE TABLE saves (
    cause           text PRIMARY KEY,
    saved_at        timestamptz NOT NULL
);

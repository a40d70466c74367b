SET LOCAL lock_timeout = '5s';

-- The rungs an amount climbs: planned, reserved, committed, spent, invoiced.
ALTER TABLE budgets
    ADD COLUMN planned_minor   bigint NOT NULL DEFAULT 0 CHECK (planned_minor >= 0),
    ADD COLUMN committed_minor bigint NOT NULL DEFAULT 0 CHECK (committed_minor >= 0),
    ADD COLUMN invoiced_minor  bigint NOT NULL DEFAULT 0 CHECK (invoiced_minor >= 0),
    ADD COLUMN overrun         text NOT NULL DEFAULT 'refuse' CHECK (overrun IN ('refuse', 'warn')),
    ADD COLUMN needs_approval  boolean NOT NULL DEFAULT false,
    ADD COLUMN main_budget_id  uuid REFERENCES budgets;
CREATE INDEX budgets_main ON budgets (main_budget_id) WHERE main_budget_id IS NOT NULL;

-- One cause may move an amount from one account to another: a row each.
ALTER TABLE ledger_entries
    DROP CONSTRAINT ledger_entries_cause_kind_key,
    ADD CONSTRAINT ledger_entries_once UNIQUE (cause, kind, account, budget_id),
    DROP CONSTRAINT ledger_entries_kind_check,
    ADD CONSTRAINT ledger_entries_kind_check CHECK (kind IN
        ('allocate', 'plan', 'reserve', 'release', 'commit', 'spend', 'invoice', 'correct')),
    DROP CONSTRAINT ledger_entries_account_check,
    ADD CONSTRAINT ledger_entries_account_check CHECK (account IN
        ('allocated', 'planned', 'reserved', 'committed', 'spent', 'invoiced')),
    -- Whether the budget could be overrun when the entry was booked.
    ADD COLUMN may_overrun boolean NOT NULL DEFAULT false;

-- "committed" was the end of a hold; it is now the rung below.
ALTER TABLE holds
    DROP CONSTRAINT holds_status_check,
    DROP CONSTRAINT holds_check;
UPDATE holds SET status = 'spent' WHERE status = 'committed';
ALTER TABLE holds
    ADD CONSTRAINT holds_status_check CHECK (status IN
        ('asked', 'pending', 'held', 'committed', 'spent', 'refused', 'released')),
    ADD CONSTRAINT holds_amount_check
        CHECK (amount_minor = 0 OR status IN ('pending', 'held', 'committed')),
    ADD COLUMN over_minor   bigint NOT NULL DEFAULT 0 CHECK (over_minor >= 0),
    ADD COLUMN requested_by jsonb,
    ADD COLUMN decided_by   jsonb,
    ADD COLUMN decided_at   timestamptz,
    ADD COLUMN reason       text NOT NULL DEFAULT '';
CREATE INDEX holds_pending ON holds (asked_at) WHERE status = 'pending';

-- What is known of campaigns, from their states.
CREATE TABLE campaigns (
    campaign_id     uuid PRIMARY KEY,
    version         bigint NOT NULL,
    number          integer NOT NULL,
    label           text NOT NULL,
    status          text NOT NULL,
    program_id      uuid
);

-- Which plan a program belongs to, from its states.
CREATE TABLE programs (
    program_id      uuid PRIMARY KEY,
    version         bigint NOT NULL,
    plan_id         uuid NOT NULL
);

-- What costs, charged to a budget; booked_* is what it has on each rung of it.
-- A campaign's delivery has the campaign's id. held_minor is booked by its holds.
CREATE TABLE expenses (
    kind             text NOT NULL
                     CHECK (kind IN
                         ('plan', 'program', 'campaign', 'delivery', 'task', 'invoice')),
    object_id        uuid NOT NULL,
    budget_id        uuid NOT NULL REFERENCES budgets,
    label            text NOT NULL DEFAULT '',
    campaign_id      uuid,
    program_id       uuid,
    plan_id          uuid,
    status           text NOT NULL CHECK (status IN ('editing', 'specified')),
    level            text NOT NULL CHECK (level IN ('planned', 'reserved', 'committed')),
    stage            text NOT NULL CHECK (stage IN ('open', 'analysed', 'finished', 'cancelled')),
    provisional      jsonb,
    real             jsonb,
    estimated_minor  bigint CHECK (estimated_minor >= 0),
    held_minor       bigint NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    computed_minor   bigint CHECK (computed_minor >= 0),
    paid_minor       bigint NOT NULL DEFAULT 0 CHECK (paid_minor >= 0),
    booked_planned   bigint NOT NULL DEFAULT 0 CHECK (booked_planned >= 0),
    booked_reserved  bigint NOT NULL DEFAULT 0 CHECK (booked_reserved >= 0),
    booked_committed bigint NOT NULL DEFAULT 0 CHECK (booked_committed >= 0),
    booked_spent     bigint NOT NULL DEFAULT 0 CHECK (booked_spent >= 0),
    booked_invoiced  bigint NOT NULL DEFAULT 0 CHECK (booked_invoiced >= 0),
    changed_at       timestamptz NOT NULL,
    PRIMARY KEY (kind, object_id, budget_id)
);
CREATE INDEX expenses_budget ON expenses (budget_id);
CREATE INDEX expenses_campaign ON expenses (campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX expenses_program ON expenses (program_id) WHERE program_id IS NOT NULL;
CREATE INDEX expenses_plan ON expenses (plan_id) WHERE plan_id IS NOT NULL;

-- What campaigns held and cost until now.
INSERT INTO expenses (kind, object_id, budget_id, label, campaign_id, status, level, stage,
                      held_minor, computed_minor, booked_spent, changed_at)
SELECT 'delivery', h.campaign_id, h.budget_id, coalesce(max(h.campaign_label), ''), h.campaign_id,
       'specified', 'planned',
       CASE WHEN bool_or(h.status = 'spent') THEN 'finished' ELSE 'analysed' END,
       sum(h.amount_minor), max(l.spent), coalesce(max(l.spent), 0), now()
FROM holds h LEFT JOIN (
    SELECT campaign_id, budget_id, sum(amount_minor)::bigint AS spent FROM cost_lines GROUP BY 1, 2
) l ON l.campaign_id = h.campaign_id AND l.budget_id = h.budget_id
WHERE h.budget_id IN (SELECT budget_id FROM budgets)
GROUP BY h.campaign_id, h.budget_id
HAVING sum(h.amount_minor) > 0 OR max(l.spent) IS NOT NULL;

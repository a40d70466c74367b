SET LOCAL lock_timeout = '5s';

-- Money that is committed is not left either, nor is what was invoiced.
ALTER TABLE seen_budgets
    ADD COLUMN committed_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN invoiced_minor  bigint NOT NULL DEFAULT 0;

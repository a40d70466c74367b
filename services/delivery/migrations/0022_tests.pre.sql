SET LOCAL lock_timeout = '5s';

-- Tests of an event's template go to its seeds in a run that no event and no total counts.
ALTER TABLE runs
    DROP CONSTRAINT runs_kind_check,
    ADD CONSTRAINT runs_kind_check
        CHECK (kind IN ('campaign', 'proof', 'transactional', 'seeds', 'test'));

SET LOCAL lock_timeout = '5s';

-- A run is new while it is sent, so statistics of runs and positions tell of others alone: with them
-- the planner expects one row of it at most, and reads the whole run by any index that begins with
-- run_id for each window. Without them it expects a share, which only the index by position cuts.
ALTER TABLE ledger ALTER COLUMN run_id SET STATISTICS 0;
ALTER TABLE ledger ALTER COLUMN position SET STATISTICS 0;
ALTER TABLE attempts ALTER COLUMN run_id SET STATISTICS 0;

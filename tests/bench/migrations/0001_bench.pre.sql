SET LOCAL lock_timeout = '5s';
CREATE TABLE bench_state (campaign_id uuid NOT NULL, targeting_id uuid NOT NULL);

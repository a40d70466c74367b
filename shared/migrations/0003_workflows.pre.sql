SET LOCAL lock_timeout = '5s';

-- Controls that came while a step was under way, in order: they wait for its end, or end it. The
-- cause is the CloudEvent that asked, so that the answer is correlated with it.
CREATE TABLE workflow_orders (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    control     text NOT NULL,
    actor       jsonb NOT NULL,
    cause       jsonb
);
CREATE INDEX workflow_orders_name ON workflow_orders (name, seq);

-- Error policies that people set; a workflow without a row follows what it declares. Not a column
-- of technical_workflows: a step under way holds its row.
CREATE TABLE workflow_policies (
    name             text PRIMARY KEY,
    failures_ignored integer NOT NULL CHECK (failures_ignored >= 0)
);

-- Runs that found nothing to do are counted, not kept; shown_at is when the state was last told.
ALTER TABLE technical_workflows
    ADD COLUMN idle_runs bigint NOT NULL DEFAULT 0,
    ADD COLUMN idle_since timestamptz,
    ADD COLUMN shown_at timestamptz;
ALTER TABLE workflow_runs ADD COLUMN idle_before bigint NOT NULL DEFAULT 0;
CREATE INDEX workflow_runs_ended ON workflow_runs (ended_at);

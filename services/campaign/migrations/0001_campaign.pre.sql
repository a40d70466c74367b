SET LOCAL lock_timeout = '5s';

-- A number is given when a form opens and never used again, whatever becomes of the form.
CREATE SEQUENCE campaign_number START 1001;
CREATE TABLE forms (
    campaign_id uuid PRIMARY KEY,
    number      bigint NOT NULL UNIQUE DEFAULT nextval('campaign_number'),
    opened_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE campaigns (
    campaign_id         uuid PRIMARY KEY,
    number              bigint NOT NULL UNIQUE,
    version             bigint NOT NULL,
    status              text NOT NULL,
    label               text NOT NULL,
    start_at            timestamptz NOT NULL,
    end_at              timestamptz NOT NULL,
    zone                text NOT NULL,
    description         text NOT NULL,
    remark              text NOT NULL,
    manager_id          text NOT NULL,
    targeting_id        uuid,
    template_id         uuid,
    action_model_ids    uuid[] NOT NULL,
    budget_id           uuid,
    supplier_service_id uuid,
    stock_line_id       uuid,
    stock_per_letter    integer NOT NULL,
    reviewer_ids        uuid[] NOT NULL,
    delivery_id         uuid,
    content_hash        text,
    counts              jsonb,
    snapshot_id         uuid,
    snapshot_hash       text,
    snapshot_members    integer NOT NULL,
    snapshot_chunks     integer NOT NULL,
    approved            boolean NOT NULL,
    hold_id             uuid,
    funds               text NOT NULL CHECK (funds IN ('none', 'asked', 'held', 'closed')),
    reservation_id      uuid,
    goods               text NOT NULL CHECK (goods IN ('none', 'asked', 'held', 'closed')),
    run_id              uuid,
    delivery_counts     jsonb,
    delivery_revision   bigint NOT NULL,
    delivery_done       boolean NOT NULL,
    action_counts       jsonb,
    action_revision     bigint NOT NULL,
    actions_completed   boolean NOT NULL,
    organisations       integer NOT NULL,
    persons             integer NOT NULL,
    extracted           integer NOT NULL,
    validity_over       boolean NOT NULL,
    problem             text NOT NULL,
    waiting_for         text,
    waiting_workflow    text,
    created_at          timestamptz NOT NULL,
    modified_at         timestamptz NOT NULL
);
CREATE INDEX campaigns_due ON campaigns (start_at) WHERE status = 'ready_to_run';
CREATE INDEX campaigns_ending ON campaigns (end_at) WHERE NOT validity_over;
CREATE INDEX campaigns_status ON campaigns (status, number DESC);

-- The events of a campaign's content tab: what happened, who did it, when.
CREATE TABLE journal (
    entry_id    uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns (campaign_id) ON DELETE CASCADE,
    type        text NOT NULL,
    operator    text NOT NULL,
    at          timestamptz NOT NULL,
    detail      text NOT NULL
);
CREATE INDEX journal_campaign ON journal (campaign_id, entry_id);

-- How the technical workflows stand, to say by name what a campaign waits for.
CREATE TABLE workflow_states (
    name        text PRIMARY KEY,
    version     bigint NOT NULL,
    status      text NOT NULL
);

-- Action models, snapshot members, generated actions, deals, dossier items, and the jobs on them.
SET LOCAL lock_timeout = '5s';

CREATE TABLE models (
    model_id      uuid PRIMARY KEY,
    version       bigint NOT NULL,
    code          text NOT NULL UNIQUE,
    label         text NOT NULL,
    kind          text NOT NULL
                  CHECK (kind IN ('action_on_site', 'deal_on_site', 'action_on_deal')),
    reason        text NOT NULL,
    subject       text NOT NULL,
    sender        text NOT NULL,
    recipient     text NOT NULL,
    delay_days    integer NOT NULL CHECK (delay_days >= 0),
    filing        text NOT NULL CHECK (filing IN ('none', 'per_contact', 'one_for_all')),
    item_type     text NOT NULL,
    processed     boolean NOT NULL,
    business_line text NOT NULL,
    market        text NOT NULL,
    product       text NOT NULL,
    created_at    timestamptz NOT NULL,
    modified_at   timestamptz NOT NULL
);

-- The slices of snapshots that have come; a slice that comes twice is known by its index.
CREATE TABLE member_chunks (
    snapshot_id uuid NOT NULL,
    index       integer NOT NULL,
    campaign_id uuid NOT NULL,
    members     integer NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (snapshot_id, index)
);
CREATE INDEX member_chunks_campaign ON member_chunks (campaign_id);
CREATE INDEX member_chunks_received ON member_chunks (received_at);

-- ordinal = index * 1000 + position in the slice: a range of slices is a range of the key.
CREATE TABLE members (
    snapshot_id  uuid NOT NULL,
    ordinal      bigint NOT NULL,
    member_id    uuid NOT NULL,
    kind         text NOT NULL,
    site_id      uuid NOT NULL,
    contact_id   uuid,
    deal_id      uuid,
    site_name    text NOT NULL,
    postal_code  text NOT NULL,
    town         text NOT NULL,
    phone        text NOT NULL,
    contact_name text NOT NULL,
    direct_line  text NOT NULL,
    mobile       text NOT NULL,
    email        text NOT NULL,
    PRIMARY KEY (snapshot_id, ordinal)
);

-- Members taken out of a campaign's actions.
CREATE TABLE unlinked (
    campaign_id uuid NOT NULL,
    member_id   uuid NOT NULL,
    actor_id    text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, member_id)
);

-- One row a campaign: its totals and the revision that orders what is said about them. The row is
-- locked before anything about the campaign's actions is emitted.
CREATE TABLE totals (
    campaign_id   uuid PRIMARY KEY,
    revision      bigint NOT NULL DEFAULT 0,
    waiting       bigint NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    suspended     bigint NOT NULL DEFAULT 0 CHECK (suspended >= 0),
    executed      bigint NOT NULL DEFAULT 0 CHECK (executed >= 0),
    finished      bigint NOT NULL DEFAULT 0 CHECK (finished >= 0),
    cancelled     bigint NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    deals         bigint NOT NULL DEFAULT 0 CHECK (deals >= 0),
    dossier_items bigint NOT NULL DEFAULT 0 CHECK (dossier_items >= 0)
);

CREATE TABLE generation_jobs (
    run_id        uuid PRIMARY KEY,
    campaign_id   uuid NOT NULL,
    snapshot_id   uuid NOT NULL,
    snapshot_hash text NOT NULL,
    chunks        integer NOT NULL CHECK (chunks >= 0),
    next_chunk    integer NOT NULL DEFAULT 0,
    status        text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'done')),
    starts_on     date NOT NULL,
    actions       bigint NOT NULL DEFAULT 0,
    deals         bigint NOT NULL DEFAULT 0,
    dossier_items bigint NOT NULL DEFAULT 0,
    organisations bigint NOT NULL DEFAULT 0,
    persons       bigint NOT NULL DEFAULT 0,
    asked_at      timestamptz NOT NULL,
    stepped_at    timestamptz NOT NULL,
    completed_at  timestamptz
);
CREATE INDEX generation_jobs_open ON generation_jobs (stepped_at) WHERE status <> 'done';
CREATE INDEX generation_jobs_campaign ON generation_jobs (campaign_id);
CREATE INDEX generation_jobs_snapshot ON generation_jobs (snapshot_id);

-- The models as they were when the run was asked for: an edit in mid-run changes nothing in it.
CREATE TABLE generation_models (
    run_id        uuid NOT NULL REFERENCES generation_jobs (run_id) ON DELETE CASCADE,
    model_id      uuid NOT NULL,
    place         integer NOT NULL,
    code          text NOT NULL,
    label         text NOT NULL,
    kind          text NOT NULL,
    fits          text[] NOT NULL,
    reason        text NOT NULL,
    subject       text NOT NULL,
    sender        text NOT NULL,
    recipient     text NOT NULL,
    delay_days    integer NOT NULL,
    filing        text NOT NULL,
    item_type     text NOT NULL,
    processed     boolean NOT NULL,
    business_line text NOT NULL,
    market        text NOT NULL,
    product       text NOT NULL,
    PRIMARY KEY (run_id, model_id)
);

CREATE TABLE actions (
    campaign_id  uuid NOT NULL,
    action_id    uuid NOT NULL,
    model_id     uuid NOT NULL,
    member_id    uuid NOT NULL,
    run_id       uuid NOT NULL,
    site_id      uuid NOT NULL,
    contact_id   uuid,
    deal_id      uuid,
    status       text NOT NULL DEFAULT 'waiting'
                 CHECK (status IN ('waiting', 'suspended', 'executed', 'finished', 'cancelled')),
    due_on       date NOT NULL,
    created_at   timestamptz NOT NULL,
    executed_at  timestamptz,
    finished_at  timestamptz,
    cancelled_at timestamptz,
    site_name    text NOT NULL,
    postal_code  text NOT NULL,
    town         text NOT NULL,
    phone        text NOT NULL,
    contact_name text NOT NULL,
    direct_line  text NOT NULL,
    mobile       text NOT NULL,
    email        text NOT NULL,
    report       text NOT NULL DEFAULT '',
    PRIMARY KEY (campaign_id, action_id)
);
-- Exactly once per campaign, model and member, whatever is delivered twice. The column that tells
-- rows apart stands first: comparing the two that are equal in a run costs a third of a step.
CREATE UNIQUE INDEX actions_once ON actions (member_id, model_id, campaign_id);
CREATE INDEX actions_next ON actions (campaign_id, due_on, action_id)
    WHERE status IN ('waiting', 'suspended');

CREATE TABLE deals (
    campaign_id           uuid NOT NULL,
    deal_id               uuid NOT NULL,
    model_id              uuid NOT NULL,
    run_id                uuid NOT NULL,
    site_id               uuid NOT NULL,
    contact_id            uuid,
    business_line         text NOT NULL,
    market                text NOT NULL,
    offer_owner           text NOT NULL,
    product               text NOT NULL,
    status                text NOT NULL DEFAULT 'open',
    expected_signature_on date,
    revenue_minor         bigint,
    site_name             text NOT NULL,
    contact_name          text NOT NULL,
    email                 text NOT NULL,
    margin_minor          bigint,
    currency              text,
    probability_percent   integer CHECK (probability_percent BETWEEN 0 AND 100),
    success_percent       integer CHECK (success_percent BETWEEN 0 AND 100),
    comment               text NOT NULL DEFAULT '',
    handled_on            date,
    cancel_reason         text NOT NULL DEFAULT '',
    created_at            timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, deal_id)
);
CREATE UNIQUE INDEX deals_once ON deals (site_id, model_id, campaign_id);

-- subject_id: the contact, the site when there is none, or the model for one item over all.
CREATE TABLE dossier_items (
    campaign_id  uuid NOT NULL,
    item_id      uuid NOT NULL,
    model_id     uuid NOT NULL,
    run_id       uuid NOT NULL,
    subject_id   uuid NOT NULL,
    site_name    text NOT NULL,
    contact_name text NOT NULL,
    email        text NOT NULL,
    processed    boolean NOT NULL,
    processed_at timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, item_id)
);
CREATE UNIQUE INDEX dossier_items_once ON dossier_items (subject_id, model_id, campaign_id);

-- Every move somebody asked for; the queued ones are carried out in order, chunk by chunk.
CREATE TABLE moves (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause       text UNIQUE,
    campaign_id uuid NOT NULL,
    move        text NOT NULL,
    action_ids  uuid[],
    report      text NOT NULL,
    actor_id    text NOT NULL,
    asked_at    timestamptz NOT NULL,
    status      text NOT NULL CHECK (status IN ('queued', 'done')),
    after_id    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    moved       bigint NOT NULL DEFAULT 0
);
CREATE INDEX moves_queued ON moves (campaign_id, seq) WHERE status = 'queued';

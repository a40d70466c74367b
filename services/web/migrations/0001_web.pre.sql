SET LOCAL lock_timeout = '5s';

-- Who works with Muster. The other services know them by OperatorState; e-mails stay here.
CREATE TABLE accounts (
    operator_id   uuid PRIMARY KEY,
    version       bigint NOT NULL,
    name          text NOT NULL,
    email         text NOT NULL UNIQUE CHECK (email = lower(email)),
    slack_user_id text UNIQUE,
    language      text NOT NULL,
    active        boolean NOT NULL,
    created_at    timestamptz NOT NULL,
    modified_at   timestamptz NOT NULL
);
CREATE TABLE account_groups (
    name          text PRIMARY KEY
);
CREATE TABLE account_memberships (
    operator_id   uuid NOT NULL REFERENCES accounts (operator_id) ON DELETE CASCADE,
    group_name    text NOT NULL REFERENCES account_groups (name),
    PRIMARY KEY (operator_id, group_name)
);
CREATE TABLE account_roles (
    operator_id   uuid NOT NULL REFERENCES accounts (operator_id) ON DELETE CASCADE,
    role          text NOT NULL,
    PRIMARY KEY (operator_id, role)
);
CREATE INDEX account_roles_role ON account_roles (role);

-- What was changed about whom, by whom (an operator's id, or the command line).
CREATE TABLE account_journal (
    entry_id      uuid PRIMARY KEY,
    operator_id   uuid NOT NULL,
    type          text NOT NULL,
    operator      text NOT NULL,
    at            timestamptz NOT NULL,
    detail        text NOT NULL
);
CREATE INDEX account_journal_operator ON account_journal (operator_id, entry_id);

-- A token is 32 random bytes, so its plain SHA-256 cannot be guessed back; it is found by prefix.
CREATE TABLE tokens (
    token_id      uuid PRIMARY KEY,
    prefix        text NOT NULL UNIQUE,
    secret_sha256 bytea NOT NULL,
    operator_id   uuid NOT NULL REFERENCES accounts (operator_id) ON DELETE CASCADE,
    name          text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);
CREATE INDEX tokens_operator ON tokens (operator_id);

-- The answer to a POST with an Idempotency-Key; status is null while the first call is under way.
CREATE TABLE kept_answers (
    token_id      uuid NOT NULL REFERENCES tokens (token_id) ON DELETE CASCADE,
    key           text NOT NULL,
    target        text NOT NULL,
    body_sha256   bytea NOT NULL,
    started_at    timestamptz NOT NULL,
    claim         uuid NOT NULL,
    status        integer,
    content_type  text,
    body          bytea,
    PRIMARY KEY (token_id, key)
);
CREATE INDEX kept_answers_started ON kept_answers (started_at);

-- What the pages show, from the compacted state topics.
CREATE TABLE seen_campaigns (
    campaign_id   uuid PRIMARY KEY,
    version       bigint NOT NULL,
    number        bigint NOT NULL,
    label         text NOT NULL,
    status        text NOT NULL,
    start_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL,
    zone          text NOT NULL,
    records       integer,
    synthesis     jsonb NOT NULL,
    waiting_for   text,
    waiting_workflow text
);
CREATE INDEX seen_campaigns_number ON seen_campaigns (number DESC);
CREATE TABLE seen_workflows (
    name          text PRIMARY KEY,
    version       bigint NOT NULL,
    service       text NOT NULL,
    label         text NOT NULL,
    label_fr      text NOT NULL,
    status        text NOT NULL,
    schedule      text NOT NULL,
    next_at       timestamptz,
    last_run_at   timestamptz,
    error         text NOT NULL
);
CREATE TABLE seen_budgets (
    budget_id     uuid PRIMARY KEY,
    version       bigint NOT NULL,
    label         text NOT NULL,
    currency      text NOT NULL,
    allocated_minor bigint NOT NULL,
    reserved_minor  bigint NOT NULL,
    spent_minor     bigint NOT NULL,
    left_minor      bigint NOT NULL
);
CREATE TABLE seen_approvals (
    approval_id   uuid PRIMARY KEY,
    version       bigint NOT NULL,
    campaign_id   uuid NOT NULL,
    campaign_number bigint NOT NULL,
    campaign_label  text NOT NULL,
    outcome       text NOT NULL,
    count         integer NOT NULL,
    requested_at  timestamptz NOT NULL,
    deadline_at   timestamptz NOT NULL
);
CREATE INDEX seen_approvals_open ON seen_approvals (deadline_at) WHERE outcome = 'pending';

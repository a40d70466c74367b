SET LOCAL lock_timeout = '5s';

-- Commands of people that have no natural key: handled once, also when a topic is replayed
-- beyond the inbox's memory.
CREATE TABLE causes (
    source     text NOT NULL,
    id         text NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (source, id)
);

CREATE TABLE templates (
    template_id      uuid PRIMARY KEY,
    version          bigint NOT NULL DEFAULT 1,
    label            text NOT NULL,
    language         text NOT NULL,
    subject          text NOT NULL,
    body             text NOT NULL,
    mjml             boolean NOT NULL,
    text             text NOT NULL,
    from_name        text NOT NULL,
    from_address     text NOT NULL,
    proof_recipients text[] NOT NULL,
    template_hash    text NOT NULL,
    saved_at         timestamptz NOT NULL
);

-- What is rendered, by its hash; a run keeps the content it was approved with.
CREATE TABLE contents (
    template_hash text PRIMARY KEY,
    language      text NOT NULL,
    subject       text NOT NULL,
    html          text NOT NULL,
    inline_css    boolean NOT NULL,
    text          text NOT NULL,
    from_name     text NOT NULL,
    from_address  text NOT NULL
);

CREATE TABLE deliveries (
    delivery_id         uuid PRIMARY KEY,
    campaign_id         uuid NOT NULL,
    template_id         uuid NOT NULL REFERENCES templates (template_id),
    supplier_service_id uuid,
    template_hash       text NOT NULL REFERENCES contents (template_hash),
    content_hash        text NOT NULL,
    proofs              integer NOT NULL DEFAULT 0,
    prepared_at         timestamptz NOT NULL
);
CREATE INDEX deliveries_campaign ON deliveries (campaign_id, prepared_at);
CREATE INDEX deliveries_template ON deliveries (template_id);

-- Snapshots as they come from targeting, until the run over them has ended.
CREATE TABLE snapshots (
    snapshot_id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL,
    first_at    timestamptz NOT NULL,
    spent       boolean NOT NULL DEFAULT false
);
CREATE TABLE snapshot_chunks (
    snapshot_id uuid NOT NULL REFERENCES snapshots (snapshot_id) ON DELETE CASCADE,
    index       integer NOT NULL,
    size        integer NOT NULL,
    members     jsonb NOT NULL,
    PRIMARY KEY (snapshot_id, index)
);

CREATE TABLE approvals (
    approval_id     uuid PRIMARY KEY,
    version         bigint NOT NULL DEFAULT 1,
    campaign_id     uuid NOT NULL,
    campaign_number integer NOT NULL,
    campaign_label  text NOT NULL,
    delivery_id     uuid,
    revision        integer NOT NULL,
    kind            text NOT NULL,
    outcome         text NOT NULL DEFAULT 'pending',
    subject         text NOT NULL DEFAULT '',
    proof_number    integer,
    proof_path      text,
    count           integer NOT NULL,
    content_hash    text,
    snapshot_id     uuid NOT NULL,
    snapshot_hash   text NOT NULL,
    requested_by    text NOT NULL,
    requested_at    timestamptz NOT NULL,
    deadline_at     timestamptz NOT NULL,
    reviewer_ids    uuid[] NOT NULL,
    reminders_sent  integer NOT NULL DEFAULT 0,
    decided_by      text,
    decided_at      timestamptz,
    reason          text NOT NULL DEFAULT '',
    UNIQUE (campaign_id, revision)
);
-- One approval of a campaign is open or in force; the others have ended.
CREATE UNIQUE INDEX approvals_open ON approvals (campaign_id) WHERE outcome = 'pending';
CREATE INDEX approvals_outcome ON approvals (outcome, approval_id);

CREATE TABLE proofs (
    proof_id        uuid PRIMARY KEY,
    campaign_id     uuid NOT NULL,
    campaign_number integer NOT NULL,
    campaign_label  text NOT NULL,
    delivery_id     uuid NOT NULL REFERENCES deliveries (delivery_id),
    number          integer NOT NULL,
    state           text NOT NULL DEFAULT 'waiting'
                    CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
    content_hash    text NOT NULL,
    snapshot_id     uuid NOT NULL,
    snapshot_hash   text NOT NULL,
    count           integer NOT NULL,
    chunks          integer NOT NULL,
    reviewer_ids    uuid[] NOT NULL,
    requested_by    text NOT NULL,
    sample_key      text,
    subject         text NOT NULL DEFAULT '',
    html            text NOT NULL DEFAULT '',
    text            text NOT NULL DEFAULT '',
    made_at         timestamptz NOT NULL
);
CREATE INDEX proofs_snapshot ON proofs (snapshot_id);
CREATE INDEX proofs_delivery ON proofs (delivery_id, number);

-- A run sends one content to its ledger's rows: of a campaign, of a proof, or a single message.
CREATE TABLE runs (
    run_id          uuid PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('campaign', 'proof', 'transactional')),
    state           text NOT NULL DEFAULT 'waiting'
                    CHECK (state IN ('waiting', 'refused', 'started', 'finished')),
    campaign_id     uuid,
    campaign_number integer,
    campaign_label  text NOT NULL DEFAULT '',
    delivery_id     uuid,
    approval_id     uuid,
    template_hash   text,
    content_hash    text,
    snapshot_id     uuid,
    snapshot_hash   text,
    count           integer NOT NULL,
    chunks          integer NOT NULL DEFAULT 0,
    next_chunk      integer NOT NULL DEFAULT 0,
    filled          boolean NOT NULL DEFAULT false,
    paused          boolean NOT NULL DEFAULT false,
    stop_reason     text,
    supplier_service_id uuid,
    letters_total   integer NOT NULL DEFAULT 0,
    letters_chunks  integer NOT NULL DEFAULT 0,
    letters_next    integer NOT NULL DEFAULT 0,
    letters_after   uuid,
    letters_outcome text,
    letters_reason  text NOT NULL DEFAULT '',
    subject_prefix  text NOT NULL DEFAULT '',
    retry_until     timestamptz NOT NULL,
    revision        integer NOT NULL DEFAULT 0,
    counts          jsonb NOT NULL DEFAULT '{}',
    asked_at        timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz
);
CREATE INDEX runs_active ON runs (state, run_id)
    WHERE kind <> 'transactional' AND state IN ('waiting', 'started');
CREATE INDEX runs_campaign ON runs (campaign_id, asked_at) WHERE campaign_id IS NOT NULL;
CREATE INDEX runs_delivery ON runs (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX runs_approval ON runs (approval_id) WHERE approval_id IS NOT NULL;
CREATE INDEX runs_snapshot ON runs (snapshot_id) WHERE snapshot_id IS NOT NULL;

-- Whoever changes rows of a run adds a mark; totals are counted and published behind them.
CREATE TABLE progress_marks (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL
);
CREATE INDEX progress_marks_run ON progress_marks (run_id);

-- One row per recipient of a run. A member whose address another member has already got keeps no
-- address, and a key of its own: so (run, key, channel) is unique and every member is counted.
CREATE TABLE ledger (
    run_id        uuid NOT NULL,
    member_id     uuid NOT NULL,
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    outcome       text NOT NULL
                  CHECK (outcome IN ('pending', 'sent', 'failed', 'ignored', 'ambiguous')),
    reason        text NOT NULL DEFAULT '',
    code          text NOT NULL DEFAULT '',
    urgent        boolean NOT NULL DEFAULT false,
    address       text,
    merge         jsonb NOT NULL,
    attempts      integer NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL,
    lease_owner   text,
    lease_until   timestamptz,
    outcome_at    timestamptz,
    PRIMARY KEY (run_id, member_id)
) PARTITION BY HASH (run_id);

-- Every call to a server, written before it is made; an open one is without outcome.
CREATE TABLE attempts (
    run_id     uuid NOT NULL,
    member_id  uuid NOT NULL,
    number     integer NOT NULL,
    owner      text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    outcome    text NOT NULL DEFAULT 'open',
    code       text NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, member_id, number)
) PARTITION BY HASH (run_id);

DO $$
BEGIN
    FOR i IN 0..3 LOOP
        EXECUTE format('CREATE TABLE ledger_%s PARTITION OF ledger'
            ' FOR VALUES WITH (MODULUS 4, REMAINDER %s) WITH (fillfactor = 80)', i, i);
        EXECUTE format('CREATE TABLE attempts_%s PARTITION OF attempts'
            ' FOR VALUES WITH (MODULUS 4, REMAINDER %s)', i, i);
    END LOOP;
END $$;

CREATE UNIQUE INDEX ledger_recipient ON ledger (run_id, recipient_key, channel);
CREATE INDEX ledger_urgent ON ledger (next_at)
    WHERE outcome = 'pending' AND channel = 'email' AND lease_until IS NULL AND urgent;
CREATE INDEX ledger_bulk ON ledger (run_id, next_at)
    WHERE outcome = 'pending' AND channel = 'email' AND lease_until IS NULL AND NOT urgent;
CREATE INDEX ledger_leased ON ledger (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX ledger_ambiguous ON ledger (run_id, member_id) WHERE outcome = 'ambiguous';
CREATE INDEX ledger_letters ON ledger (run_id, member_id)
    WHERE outcome = 'pending' AND channel = 'direct_mail';
-- Single messages of one person are found for erasure; those of a campaign by its run.
CREATE INDEX ledger_urgent_person ON ledger (recipient_key) WHERE urgent;

-- Who does not want messages, by channel; the latest word counts.
CREATE TABLE consents (
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    opted_out     boolean NOT NULL,
    at            timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (recipient_key, channel)
);

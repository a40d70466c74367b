SET LOCAL lock_timeout = '5s';

-- The directory. Every record has an id of ours and the reference that its source system knows.
CREATE TABLE sites (
    site_id     uuid PRIMARY KEY,
    site_ref    text NOT NULL UNIQUE,
    name        text NOT NULL,
    street      text NOT NULL DEFAULT '',
    postal_code text NOT NULL DEFAULT '',
    town        text NOT NULL DEFAULT '',
    country     text NOT NULL DEFAULT '',
    phone       text NOT NULL DEFAULT '',
    language    text NOT NULL DEFAULT 'en',
    segment     text NOT NULL DEFAULT '',
    headcount   integer CHECK (headcount >= 0),
    updated_at  timestamptz NOT NULL
);
CREATE INDEX sites_name ON sites (lower(name) text_pattern_ops);

-- email_consent is what the source system said last; the consent that counts stands in consents.
CREATE TABLE contacts (
    contact_id    uuid PRIMARY KEY,
    contact_ref   text NOT NULL UNIQUE,
    site_id       uuid NOT NULL REFERENCES sites,
    first_name    text NOT NULL DEFAULT '',
    last_name     text NOT NULL,
    job_title     text NOT NULL DEFAULT '',
    email         text,
    recipient_key text,
    direct_line   text NOT NULL DEFAULT '',
    mobile        text NOT NULL DEFAULT '',
    language      text NOT NULL DEFAULT 'en',
    email_consent text NOT NULL DEFAULT '' CHECK (email_consent IN ('yes', 'no', '')),
    updated_at    timestamptz NOT NULL,
    CHECK ((email IS NULL) = (recipient_key IS NULL))
);
CREATE INDEX contacts_site ON contacts (site_id);
CREATE INDEX contacts_recipient ON contacts (recipient_key);
CREATE INDEX contacts_name ON contacts (lower(last_name) text_pattern_ops);

CREATE TABLE employees (
    employee_id  uuid PRIMARY KEY,
    employee_ref text NOT NULL UNIQUE,
    first_name   text NOT NULL DEFAULT '',
    last_name    text NOT NULL,
    email        text,
    job_title    text NOT NULL DEFAULT '',
    team         text NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL
);

-- Amounts are minor units of the currency (cents).
CREATE TABLE deals (
    deal_id             uuid PRIMARY KEY,
    deal_ref            text NOT NULL UNIQUE,
    site_id             uuid NOT NULL REFERENCES sites,
    contact_id          uuid REFERENCES contacts ON DELETE SET NULL,
    owner_id            uuid REFERENCES employees ON DELETE SET NULL,
    business_line       text NOT NULL DEFAULT '',
    market              text NOT NULL DEFAULT '',
    product             text NOT NULL DEFAULT '',
    status              text NOT NULL,
    expected_signature  date,
    revenue_minor       bigint,
    margin_minor        bigint,
    currency            text NOT NULL DEFAULT '',
    probability_percent integer CHECK (probability_percent BETWEEN 0 AND 100),
    comment             text NOT NULL DEFAULT '',
    updated_at          timestamptz NOT NULL
);
CREATE INDEX deals_site ON deals (site_id);
CREATE INDEX deals_contact ON deals (contact_id);

-- Who opted out of which channel; a later "at" wins. Holds no address, only its keyed hash.
CREATE TABLE consents (
    recipient_key text NOT NULL,
    channel       text NOT NULL,
    opted_out     boolean NOT NULL,
    at            timestamptz NOT NULL,
    recorded_by   text NOT NULL,
    PRIMARY KEY (recipient_key, channel)
);

CREATE TABLE imports (
    import_id       uuid PRIMARY KEY,
    kind            text NOT NULL,
    file_name       text NOT NULL,
    started_by      text NOT NULL,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    rows            bigint NOT NULL DEFAULT 0,
    created         bigint NOT NULL DEFAULT 0,
    updated         bigint NOT NULL DEFAULT 0,
    unchanged       bigint NOT NULL DEFAULT 0,
    rejected        bigint NOT NULL DEFAULT 0,
    consent_changes bigint NOT NULL DEFAULT 0
);
-- The first rejects of an import, without the values, which may be personal.
CREATE TABLE import_rejects (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    line      bigint NOT NULL,
    field     text NOT NULL,
    reason    text NOT NULL,
    PRIMARY KEY (import_id, line)
);
-- The references an import has met, so that it notices one that comes twice. Emptied behind it;
-- unlogged, because an import that a crash cuts short starts again with a new id.
CREATE UNLOGGED TABLE import_refs (
    import_id uuid NOT NULL,
    ref       text NOT NULL,
    PRIMARY KEY (import_id, ref)
);

CREATE TABLE targetings (
    targeting_id uuid PRIMARY KEY,
    version      bigint NOT NULL,
    label        text NOT NULL,
    counts       text NOT NULL CHECK (counts IN ('sites', 'contacts', 'deals')),
    kind         text NOT NULL CHECK (kind IN ('criteria', 'sql')),
    criteria     jsonb NOT NULL DEFAULT '[]',
    sql          text,
    saved_by     text NOT NULL,
    saved_at     timestamptz NOT NULL,
    CHECK ((kind = 'sql') = (sql IS NOT NULL))
);

CREATE TABLE snapshots (
    snapshot_id   uuid PRIMARY KEY,
    campaign_id   uuid NOT NULL,
    targeting_id  uuid NOT NULL,
    status        text NOT NULL DEFAULT 'asked'
                  CHECK (status IN ('asked', 'publishing', 'frozen', 'refused')),
    definition    jsonb,
    reason        text NOT NULL DEFAULT '',
    snapshot_hash text,
    members       integer,
    chunks        integer,
    published     integer NOT NULL DEFAULT 0,
    counts        jsonb,
    asked_at      timestamptz NOT NULL,
    frozen_at     timestamptz
);
-- body is the member as its messages carry it: what was true of it when it was frozen.
CREATE TABLE snapshot_members (
    snapshot_id   uuid NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    position      integer NOT NULL,
    chunk         integer NOT NULL,
    member_id     uuid NOT NULL,
    contact_id    uuid,
    recipient_key text,
    opted_out     boolean NOT NULL,
    body          text NOT NULL,
    PRIMARY KEY (snapshot_id, position)
);
CREATE UNIQUE INDEX snapshot_members_once ON snapshot_members (snapshot_id, member_id);
CREATE INDEX snapshot_members_recipient ON snapshot_members (recipient_key);
CREATE INDEX snapshot_members_contact ON snapshot_members (contact_id);

CREATE FUNCTION keep_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- An erasure empties the personal parts of body; who was a member stays.
    IF (NEW.snapshot_id, NEW.position, NEW.chunk, NEW.member_id, NEW.contact_id,
        NEW.recipient_key, NEW.opted_out)
       IS DISTINCT FROM
       (OLD.snapshot_id, OLD.position, OLD.chunk, OLD.member_id, OLD.contact_id,
        OLD.recipient_key, OLD.opted_out)
    THEN
        RAISE EXCEPTION 'the members of a snapshot cannot be changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER members_stay BEFORE UPDATE ON snapshot_members
    FOR EACH ROW EXECUTE FUNCTION keep_members();

CREATE FUNCTION keep_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.definition, NEW.snapshot_hash, NEW.members, NEW.chunks, NEW.counts, NEW.frozen_at)
       IS DISTINCT FROM
       (OLD.definition, OLD.snapshot_hash, OLD.members, OLD.chunks, OLD.counts, OLD.frozen_at)
    THEN
        RAISE EXCEPTION 'a frozen snapshot cannot be changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER snapshot_stays BEFORE UPDATE ON snapshots
    FOR EACH ROW WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION keep_snapshot();

CREATE FUNCTION keep_frozen_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM gone g JOIN snapshots s USING (snapshot_id)
               WHERE s.frozen_at IS NOT NULL)
    THEN
        RAISE EXCEPTION 'the members of a frozen snapshot cannot be deleted';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER frozen_members_stay AFTER DELETE ON snapshot_members
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_frozen_members();

-- What is to be counted or frozen, outside the transaction that received the command.
-- job_id is the snapshot's id for a freeze. The epoch fences a woken predecessor's writes.
CREATE TABLE target_jobs (
    job_id         uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('count', 'freeze')),
    campaign_id    uuid NOT NULL,
    targeting_id   uuid NOT NULL,
    asked_at       timestamptz NOT NULL,
    cause          jsonb NOT NULL DEFAULT '{}',
    attempts       integer NOT NULL DEFAULT 0,
    not_before     timestamptz NOT NULL DEFAULT '-infinity',
    lease_until    timestamptz NOT NULL DEFAULT '-infinity',
    epoch          bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX target_jobs_count_once ON target_jobs (campaign_id, targeting_id)
    WHERE kind = 'count';

-- What direct SQL and criteria read. The views belong to the owner of the tables, so a role needs
-- no right on the tables to read them. Left joins on unique keys cost nothing when unused.
CREATE SCHEMA IF NOT EXISTS directory;
CREATE VIEW directory.sites AS
SELECT site_id, site_ref, name, street, postal_code, town, country, phone, language, segment,
       headcount
FROM sites;
CREATE VIEW directory.contacts AS
SELECT c.contact_id, c.contact_ref, c.site_id, s.site_ref, c.first_name, c.last_name, c.job_title,
       c.email, c.direct_line, c.mobile, c.language, coalesce(k.opted_out, false) AS opted_out,
       c.recipient_key
FROM contacts c
LEFT JOIN sites s USING (site_id)
LEFT JOIN consents k ON k.recipient_key = c.recipient_key AND k.channel = 'email';
CREATE VIEW directory.deals AS
SELECT d.deal_id, d.deal_ref, d.site_id, s.site_ref, d.contact_id, c.contact_ref, d.owner_id,
       e.employee_ref AS owner_ref, d.business_line, d.market, d.product, d.status,
       d.expected_signature, d.revenue_minor, d.margin_minor, d.currency, d.probability_percent,
       d.comment
FROM deals d
LEFT JOIN sites s USING (site_id)
LEFT JOIN contacts c USING (contact_id)
LEFT JOIN employees e ON e.employee_id = d.owner_id;

-- The service's own role reads the views too; its name holds the database's.
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA directory TO %I', current_database() || '_targeting');
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA directory TO %I',
                   current_database() || '_targeting');
END $$;

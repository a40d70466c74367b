SET LOCAL lock_timeout = '5s';

-- The content each template holds now, and its channel: what is published, what changed since.
ALTER TABLE templates
    ADD COLUMN content_hash text,
    ADD COLUMN channel      text NOT NULL DEFAULT 'email';

-- A row of routes is an event template: its template is the draft, its published version what
-- events are sent with. A version stays what it is, and its number is never given again.
-- Without a content_hash a version is the template's content of the time of sending; it is pinned
-- when the content becomes known, if it awaits that.
CREATE TABLE event_template_versions (
    event_type     text NOT NULL,
    channel        text NOT NULL,
    version        integer NOT NULL,
    template_id    uuid NOT NULL,
    content_hash   text,
    awaits_content boolean NOT NULL DEFAULT false,
    published_by   text NOT NULL,
    published_at   timestamptz NOT NULL,
    ended_by       text,
    ended_at       timestamptz,
    PRIMARY KEY (event_type, channel, version)
);
CREATE INDEX event_template_versions_awaiting ON event_template_versions (template_id)
    WHERE awaits_content;
ALTER TABLE routes ADD COLUMN published_version integer;

-- What was linked counted at once: it is version 1, of whatever content its template has.
INSERT INTO event_template_versions
    (event_type, channel, version, template_id, published_by, published_at)
SELECT event_type, channel, 1, template_id, changed_by, changed_at FROM routes;
UPDATE routes SET published_version = 1;

-- Every command about event templates, by its identity.
ALTER TABLE route_changes
    ADD COLUMN channel text NOT NULL DEFAULT 'email',
    ADD COLUMN change  text NOT NULL DEFAULT 'RouteEventType';

-- What an event was sent with.
ALTER TABLE events
    ADD COLUMN template_version integer,
    ADD COLUMN content_hash     text;

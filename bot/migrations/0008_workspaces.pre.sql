SET LOCAL lock_timeout = '5s';

-- The workspaces that installed the bot. What Slack gave is sealed under MUSTER_SECRET_KEY and bound
-- to its workspace; a workspace that took it back keeps its row without it.
CREATE TABLE slack_installations (
    team         text PRIMARY KEY,
    name         text NOT NULL,
    sealed       bytea,
    installed_at timestamptz NOT NULL,
    removed_at   timestamptz
);
-- Installations begun: each state is good once, for some minutes.
CREATE TABLE slack_oauth_states (
    state_sha256 bytea PRIMARY KEY,
    expires_at   timestamptz NOT NULL
);

-- Ids of another workspace than the bot's own are `T…/U…`: each workspace has a loop of its own.
ALTER TABLE slack_messages ADD COLUMN team text NOT NULL GENERATED ALWAYS AS
    (CASE WHEN target LIKE '%/%' THEN split_part(target, '/', 1) ELSE '' END) STORED;
ALTER TABLE slack_people ADD COLUMN team text NOT NULL GENERATED ALWAYS AS
    (CASE WHEN slack_user_id LIKE '%/%' THEN split_part(slack_user_id, '/', 1) ELSE '' END) STORED;
ALTER TABLE slack_calls ADD COLUMN team text NOT NULL DEFAULT '';

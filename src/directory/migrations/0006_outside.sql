-- Programs outside: the keys by which they come in, and where they want to be told of what happens.

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- SHA-256 of the secret part, hex. The key itself is nowhere.
    secret_hash TEXT NOT NULL,
    -- What it may do; words separated by spaces.
    scopes TEXT NOT NULL,
    -- In which rooms: a name, a beginning and *, or *.
    rooms TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- 0: never.
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL
);
CREATE INDEX api_keys_created ON api_keys (created_ms, id);

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    -- What its deliveries are signed with; signing needs it as it is.
    secret TEXT NOT NULL,
    -- Which events; names separated by spaces.
    events TEXT NOT NULL,
    -- Events of which rooms.
    rooms TEXT NOT NULL,
    -- active, paused, gone
    state TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- Messages stored before are not told: when it was made, or asked for other events or rooms.
    since_ms BIGINT NOT NULL,
    -- The number of the newest delivery.
    last_number BIGINT NOT NULL,
    -- Deliveries that wait.
    waiting_count BIGINT NOT NULL,
    -- Events that were not taken because too many waited.
    dropped_count BIGINT NOT NULL
);
CREATE INDEX webhooks_created ON webhooks (created_ms, id);

-- What is to be told to whom, in order. Written together with how far the journal was followed.
CREATE TABLE deliveries (
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    -- The same event has the same id for every endpoint and at every attempt.
    event_id TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    -- waiting, done, dead
    state TEXT NOT NULL,
    -- Since when it is tried, milliseconds since 1970.
    since_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_ms BIGINT NOT NULL,
    -- What the last attempt came to: a status, 0 if none came, and why it was no success.
    status BIGINT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (webhook_id, number)
);
CREATE UNIQUE INDEX deliveries_event ON deliveries (webhook_id, event_id);
CREATE INDEX deliveries_state ON deliveries (webhook_id, state, number);

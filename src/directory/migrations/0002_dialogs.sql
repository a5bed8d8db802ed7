-- Rooms seen by their members. What was said, and how much of it is unread, is in the journal, not here.

CREATE TABLE dialogs (
    -- The room's name.
    id TEXT PRIMARY KEY,
    -- direct, group, service
    kind TEXT NOT NULL,
    -- server_readable, e2ee; as in the journal
    mode TEXT NOT NULL,
    title TEXT NOT NULL,
    about TEXT NOT NULL,
    avatar TEXT,
    -- For a direct one its two users, the smaller first, with a space between: one dialog per pair.
    pair TEXT UNIQUE,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);

CREATE TABLE members (
    dialog_id TEXT NOT NULL REFERENCES dialogs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- owner, admin, member, reader
    role TEXT NOT NULL,
    joined_ms BIGINT NOT NULL,
    -- How the member keeps it: each theirs alone.
    archived BIGINT NOT NULL,
    muted_until_ms BIGINT NOT NULL,
    -- When it was pinned; 0: it is not.
    pinned_ms BIGINT NOT NULL,
    -- Put away until the room's last offset is at least this; 0: it is in lists.
    hidden_until BIGINT NOT NULL,
    PRIMARY KEY (dialog_id, user_id)
);
CREATE INDEX members_user ON members (user_id, dialog_id);

CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the secret in the link, hex.
    secret_hash TEXT NOT NULL UNIQUE,
    dialog_id TEXT NOT NULL REFERENCES dialogs (id) ON DELETE CASCADE,
    -- The role of whoever comes by it.
    role TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- 0: never.
    expires_ms BIGINT NOT NULL,
    -- 0: as many as come.
    uses_max BIGINT NOT NULL,
    uses BIGINT NOT NULL
);
CREATE INDEX invites_dialog ON invites (dialog_id);

-- Messages that mention a member and are not read by them yet. Made from the journal by whoever follows it.
CREATE TABLE mentions (
    user_id TEXT NOT NULL,
    dialog_id TEXT NOT NULL REFERENCES dialogs (id) ON DELETE CASCADE,
    message_offset BIGINT NOT NULL,
    PRIMARY KEY (user_id, dialog_id, message_offset)
);
CREATE INDEX mentions_message ON mentions (dialog_id, message_offset);

-- How far each room of the journal was followed: what is later is read again after a crash.
CREATE TABLE followed (
    room TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    message_offset BIGINT NOT NULL
);

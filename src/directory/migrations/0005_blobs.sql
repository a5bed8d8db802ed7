-- Stored files. Their bytes are elsewhere, under the SHA-256 that is the id here.

CREATE TABLE blobs (
    id TEXT PRIMARY KEY,
    size_bytes BIGINT NOT NULL,
    kind TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- When it was last uploaded, named by a message, or made an avatar.
    touched_ms BIGINT NOT NULL,
    -- unsettled: its bytes are coming or going, and nobody knows of it; here; marked: to be deleted unless it is touched
    state TEXT NOT NULL
);
CREATE INDEX blobs_state ON blobs (state, touched_ms);

-- Who has uploaded it: they may read it, and it counts as theirs.
CREATE TABLE blob_owners (
    blob TEXT NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    PRIMARY KEY (blob, user_id)
);
CREATE INDEX blob_owners_user ON blob_owners (user_id);

-- Which retained messages name it: whoever reads the room may read it. Made from the journal by whoever follows it.
CREATE TABLE blob_refs (
    -- The room; most are dialogs.
    room TEXT NOT NULL,
    message_offset BIGINT NOT NULL,
    -- Erased together with which message: itself, or what it edits or continues.
    with_offset BIGINT NOT NULL,
    blob TEXT NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (room, message_offset, blob)
);
CREATE INDEX blob_refs_with ON blob_refs (room, with_offset);
CREATE INDEX blob_refs_blob ON blob_refs (blob, room);

-- Files on their way here. What has arrived of them is in a file under the same id.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    -- As it came.
    metadata TEXT NOT NULL,
    -- What its SHA-256 is to be, if that was announced.
    sha256 TEXT,
    expires_ms BIGINT NOT NULL,
    -- What it became.
    blob TEXT
);
CREATE INDEX uploads_user ON uploads (user_id);
CREATE INDEX uploads_expires ON uploads (expires_ms);

-- So that it can be asked whether a file is anybody's avatar.
CREATE INDEX users_avatar ON users (avatar);
CREATE INDEX dialogs_avatar ON dialogs (avatar);

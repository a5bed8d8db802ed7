-- Who there is, and on which devices they are signed in. Times are milliseconds since 1970; 0 means never.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- What one signs in with; absent for users whom others vouch for, for guests, and for deleted ones.
    login TEXT UNIQUE,
    name TEXT NOT NULL,
    -- Login and name folded for searching.
    search TEXT NOT NULL,
    email TEXT,
    about TEXT NOT NULL,
    -- A blob.
    avatar TEXT,
    -- A PHC string; absent when nobody can sign in with a password.
    password TEXT,
    -- user, operator, administrator
    role TEXT NOT NULL,
    -- active, blocked, deleted
    state TEXT NOT NULL,
    -- account, guest, or who vouches
    origin TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL
);
CREATE INDEX users_search ON users (search);
CREATE INDEX users_state ON users (state);
CREATE INDEX users_created ON users (created_ms, id);

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What the device said of itself.
    agent TEXT NOT NULL,
    address TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- Which refresh token is the current one; rises with each rotation.
    rotation BIGINT NOT NULL,
    rotated_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL
);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_revoked ON devices (revoked_ms);

-- Actions that matter for security. Nobody in it is erased by deleting an account; their id says nothing of them.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    -- Who did it: a user, an API key, or nobody known.
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    -- To whom or what.
    target TEXT NOT NULL,
    address TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at_ms);

-- Single facts of the server itself.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

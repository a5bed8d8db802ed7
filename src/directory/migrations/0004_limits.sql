-- How much users may do, and how much they have done. A kind is messages, assistant_calls, storage_bytes or uploads.

-- What administrators have set for everybody of a role, in place of the settings.
CREATE TABLE role_limits (
    -- guest, user, operator, administrator
    role TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- NULL: no limit
    most BIGINT,
    PRIMARY KEY (role, kind)
);

-- What administrators have set for single users, in place of their role's.
CREATE TABLE user_limits (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- NULL: no limit
    most BIGINT,
    PRIMARY KEY (user_id, kind)
);

-- What was used of the kinds that are counted by the day.
CREATE TABLE used (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Days since 1970, UTC.
    day BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind)
);
CREATE INDEX used_day ON used (day);

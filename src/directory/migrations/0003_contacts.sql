-- Who knows whom. A pair has up to two rows, one for each side's view.

CREATE TABLE contacts (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    other_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- sent, received, friend, blocked
    state TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX contacts_other ON contacts (other_id);

-- What people are found by: the words of their logins and names. The server fills it for users from before.
CREATE TABLE user_words (
    -- In lower case, its bytes as hex digits: those have the same order in every database.
    word TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (word, user_id)
);
CREATE INDEX user_words_user ON user_words (user_id);

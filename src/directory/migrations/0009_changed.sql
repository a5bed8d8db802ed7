-- Whose name may be newer than that in their tokens is looked up at every start.
CREATE INDEX users_changed ON users (changed_ms);

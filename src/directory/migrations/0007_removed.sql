-- Dialogs that were ended: what was said in them is still to be erased. A row stays until that was done and nothing of them
-- can be under way any more.
CREATE TABLE removed_dialogs (
    id TEXT PRIMARY KEY,
    removed_ms BIGINT NOT NULL
);

-- Whose last member deleted their account.
INSERT INTO removed_dialogs (id, removed_ms)
    SELECT id, 0 FROM dialogs WHERE NOT EXISTS (SELECT 1 FROM members WHERE members.dialog_id = dialogs.id);
DELETE FROM dialogs WHERE id IN (SELECT id FROM removed_dialogs);

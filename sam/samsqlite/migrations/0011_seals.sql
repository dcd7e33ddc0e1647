-- Epochs of the key that seals records. A seal says itself under which it was made;
-- what is there now is of the first. Sealing anew changes a tombstone's seal and
-- nothing else of it.
ALTER TABLE meta ADD COLUMN seal_epoch INTEGER NOT NULL DEFAULT 1;
ALTER TABLE meta ADD COLUMN seal_low INTEGER NOT NULL DEFAULT 1;

DROP TRIGGER tombstone_no_update;
CREATE TRIGGER tombstone_no_update BEFORE UPDATE OF key, destroyed, seq, version ON tombstone
BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;

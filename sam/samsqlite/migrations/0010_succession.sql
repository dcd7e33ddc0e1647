-- Changes of the statement key, each with the statement that both keys signed.
CREATE TABLE succession (
  epoch     INTEGER PRIMARY KEY,
  old_key   BLOB NOT NULL,
  new_key   BLOB NOT NULL,
  statement TEXT NOT NULL,
  signature TEXT NOT NULL,
  proof     TEXT NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;

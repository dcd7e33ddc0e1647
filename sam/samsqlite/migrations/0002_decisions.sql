-- Who may call is granted, not learnt from a certificate at first sight: the
-- records of first sight are worth nothing any more. Decisions of two officers.

DROP TABLE identity;

CREATE TABLE identity (
  name    TEXT PRIMARY KEY,
  person  TEXT NOT NULL,
  role    TEXT NOT NULL,
  key     TEXT NOT NULL,
  state   TEXT NOT NULL,
  created INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE proposal (
  id        TEXT PRIMARY KEY,
  kind      TEXT NOT NULL,
  args      BLOB NOT NULL,
  state     TEXT NOT NULL,
  by_name   TEXT NOT NULL,
  by_person TEXT NOT NULL,
  second    TEXT NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER NOT NULL,
  decided   INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_state ON proposal (state, created);

-- One-time keys: what was asked, approved and certified. The key itself is never
-- here: it lives in the memory of one process.
CREATE TABLE onetime (
  key           TEXT PRIMARY KEY,
  signer        TEXT NOT NULL REFERENCES signer (id),
  caller        TEXT NOT NULL,
  key_type      TEXT NOT NULL,
  policy        TEXT NOT NULL,
  ca            TEXT NOT NULL,
  carrier       TEXT NOT NULL,
  state         TEXT NOT NULL,
  binding       BLOB NOT NULL,
  approval      BLOB NOT NULL,
  authenticator BLOB NOT NULL,
  auth_hash     BLOB NOT NULL,
  subject       BLOB NOT NULL,
  public        BLOB NOT NULL,
  csr           BLOB NOT NULL,
  chain         BLOB NOT NULL,
  cert_hash     BLOB NOT NULL,
  session       BLOB NOT NULL,
  created       INTEGER NOT NULL,
  expires       INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX onetime_live ON onetime (signer, key) WHERE state != 'destroyed';
CREATE INDEX onetime_expires ON onetime (expires);

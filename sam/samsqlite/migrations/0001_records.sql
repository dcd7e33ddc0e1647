-- Records of the signature activation module. Columns mac, seq and version are
-- the stamp of package sam: mac covers every other column of its row.

CREATE TABLE meta (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  cluster       TEXT NOT NULL,
  instance      TEXT NOT NULL,
  epoch         INTEGER NOT NULL,
  statement_key BLOB NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;

CREATE TABLE identity (
  name    TEXT PRIMARY KEY,
  role    TEXT NOT NULL,
  created INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signer (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
  proof   TEXT NOT NULL,
  state   TEXT NOT NULL,
  created INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE authenticator (
  credential      BLOB PRIMARY KEY,
  signer          TEXT NOT NULL REFERENCES signer (id),
  public          BLOB NOT NULL,
  aaguid          BLOB NOT NULL,
  backup_eligible INTEGER NOT NULL,
  attestation     TEXT NOT NULL,
  carrier         TEXT NOT NULL,
  created         INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX authenticator_signer ON authenticator (signer, credential);

CREATE TABLE guard (
  credential   BLOB PRIMARY KEY REFERENCES authenticator (credential),
  signer       TEXT NOT NULL,
  failures     INTEGER NOT NULL,
  locked_until INTEGER NOT NULL,
  sign_count   INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment (
  id        TEXT PRIMARY KEY,
  signer    TEXT NOT NULL REFERENCES signer (id),
  code      BLOB NOT NULL,
  state     TEXT NOT NULL,
  begun     INTEGER NOT NULL,
  wrong     INTEGER NOT NULL,
  statement BLOB NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_open ON enrolment (signer) WHERE state = 'open';

CREATE TABLE credential (
  key       TEXT PRIMARY KEY,
  signer    TEXT NOT NULL REFERENCES signer (id),
  key_type  TEXT NOT NULL,
  public    BLOB NOT NULL UNIQUE,
  blob      BLOB NOT NULL,
  kek       TEXT NOT NULL,
  carrier   TEXT NOT NULL,
  state     TEXT NOT NULL,
  raw       INTEGER NOT NULL,
  auth_hash BLOB NOT NULL,
  subject   BLOB NOT NULL,
  csr       BLOB NOT NULL,
  chain     BLOB NOT NULL,
  cert_hash BLOB NOT NULL,
  created   INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_signer ON credential (signer, created, key);

CREATE TABLE activation (
  session    BLOB PRIMARY KEY,
  signer     TEXT NOT NULL,
  nonce_hash BLOB NOT NULL,
  binding    BLOB NOT NULL,
  expires    INTEGER NOT NULL,
  state      TEXT NOT NULL,
  redemption BLOB NOT NULL,
  digests    BLOB NOT NULL,
  answer     BLOB NOT NULL,
  updated    INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;
-- Few indexes: each activation is written three times. Purging goes by age, in the
-- order of the rows.
CREATE INDEX activation_open ON activation (signer, expires) WHERE state = 'open';
CREATE INDEX activation_reserved ON activation (session) WHERE state = 'reserved';

CREATE TABLE tombstone (
  key       TEXT PRIMARY KEY,
  destroyed INTEGER NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tombstone_seq ON tombstone (seq);

CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY,
  time    INTEGER NOT NULL,
  type    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason  TEXT NOT NULL,
  data    TEXT NOT NULL,
  hash    BLOB NOT NULL
) STRICT;
-- The history of a record, for the check that no older row was put back. The
-- indexed expression is part of the chained data, so it cannot be changed alone.
CREATE INDEX audit_object ON audit (json_extract(data, '$.obj'), seq) WHERE json_extract(data, '$.obj') IS NOT NULL;
CREATE INDEX audit_guard ON audit (json_extract(data, '$.guard'), seq) WHERE json_extract(data, '$.guard') IS NOT NULL;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;
CREATE TRIGGER tombstone_no_update BEFORE UPDATE ON tombstone BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER tombstone_no_delete BEFORE DELETE ON tombstone BEGIN SELECT RAISE(ABORT, 'tombstones are never deleted'); END;

-- When a key's certificate ends. A hint to find expired keys by, not sealed: what
-- counts is the certificate in the sealed record, which is looked at again.
CREATE TABLE key_expiry (
  key       TEXT PRIMARY KEY,
  not_after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_expiry_due ON key_expiry (not_after);

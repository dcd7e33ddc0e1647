-- Accepted configurations, whole; what the last accepted restore made void.
CREATE TABLE configuration (
  number   INTEGER PRIMARY KEY,
  digest   TEXT NOT NULL,
  document BLOB NOT NULL,
  accepted INTEGER NOT NULL,
  first    TEXT NOT NULL,
  second   TEXT NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;
CREATE INDEX configuration_digest ON configuration (digest, number);

ALTER TABLE condition ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
ALTER TABLE condition ADD COLUMN strict_before INTEGER NOT NULL DEFAULT 0;

-- The module's state of operation: closed after a failure until an officer opens
-- it again, and the approved configuration.
CREATE TABLE condition (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  closed      TEXT NOT NULL,
  since       INTEGER NOT NULL,
  void_before INTEGER NOT NULL,
  config      TEXT NOT NULL,
  seq INTEGER NOT NULL, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;

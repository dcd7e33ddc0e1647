-- One row is one session, grant, token, used identifier or idempotency key.
-- id is a hash of the bearer value that finds it; times are Unix milliseconds.
CREATE TABLE record (
	kind    TEXT    NOT NULL,
	id      TEXT    NOT NULL,
	version INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	data    BLOB    NOT NULL,
	PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_expires ON record (expires);

-- What an authenticator showed of itself, how it came, when it may be used; the
-- alarm that a copy of it exists; changes of a signer's authenticators; notices.

ALTER TABLE authenticator ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE authenticator ADD COLUMN metadata INTEGER NOT NULL DEFAULT 0;
ALTER TABLE authenticator ADD COLUMN usable_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE authenticator ADD COLUMN via TEXT NOT NULL DEFAULT '';

ALTER TABLE guard ADD COLUMN alarm TEXT NOT NULL DEFAULT '';
ALTER TABLE guard ADD COLUMN count_seq INTEGER NOT NULL DEFAULT 0;

ALTER TABLE enrolment ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment ADD COLUMN target BLOB NOT NULL DEFAULT x'';
ALTER TABLE enrolment ADD COLUMN first TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment ADD COLUMN second TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment ADD COLUMN halves BLOB NOT NULL DEFAULT x'';
ALTER TABLE enrolment ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;

CREATE TABLE notice (
  signer     TEXT NOT NULL REFERENCES signer (id),
  kind       TEXT NOT NULL,
  credential BLOB NOT NULL,
  until      INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, mac BLOB NOT NULL
) STRICT;
CREATE INDEX notice_signer ON notice (signer, seq);

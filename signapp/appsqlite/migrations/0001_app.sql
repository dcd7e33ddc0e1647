CREATE TABLE documents (
    id      TEXT    PRIMARY KEY,
    client  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    sha256  BLOB    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX documents_expires ON documents (expires);

CREATE TABLE operations (
    id       TEXT    PRIMARY KEY,
    client   TEXT    NOT NULL,
    signer   TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    fixed    BLOB    NOT NULL,
    progress BLOB    NOT NULL
) STRICT;
CREATE INDEX operations_client ON operations (client, created);
CREATE INDEX operations_signer ON operations (signer, created);
CREATE INDEX operations_due ON operations (due);

CREATE TABLE secrets (
    kind      TEXT    NOT NULL,
    hash      BLOB    NOT NULL,
    signer    TEXT    NOT NULL,
    operation TEXT    NOT NULL,
    session   BLOB    NOT NULL,
    expires   INTEGER NOT NULL,
    data      BLOB    NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX secrets_expires ON secrets (expires);
CREATE INDEX secrets_session ON secrets (session);
CREATE INDEX secrets_operation ON secrets (operation);

CREATE TABLE passkeys (
    id         BLOB    PRIMARY KEY,
    signer     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    handle     BLOB    NOT NULL,
    credential BLOB    NOT NULL,
    created    INTEGER NOT NULL,
    used       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_signer ON passkeys (signer, created);

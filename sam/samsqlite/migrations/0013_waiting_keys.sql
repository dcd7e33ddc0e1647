-- Revoked keys, which wait for two officers to destroy them: how many (KPR-07).
CREATE INDEX credential_revoked ON credential (key) WHERE state = 'revoked';

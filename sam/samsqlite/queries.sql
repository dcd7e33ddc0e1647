-- The statements of package samsqlite. Insert and update take a record's columns
-- in the order of its table; update swaps only the version just before.

-- name: meta.get
SELECT cluster, instance, epoch, statement_key, ceremony, seal_epoch, seal_low, seq, version, mac FROM meta WHERE id = 1;

-- name: meta.insert
INSERT INTO meta (id, cluster, instance, epoch, statement_key, ceremony, seal_epoch, seal_low, seq, version, mac)
VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- name: meta.update
UPDATE meta SET cluster = ?1, instance = ?2, epoch = ?3, statement_key = ?4, ceremony = ?5, seal_epoch = ?6,
seal_low = ?7, seq = ?8, version = ?9, mac = ?10 WHERE id = 1 AND version = ?9 - 1;

-- name: condition.get
SELECT closed, since, void_before, config, restored, strict_before, seq, version, mac FROM condition WHERE id = 1;

-- name: condition.insert
INSERT INTO condition (id, closed, since, void_before, config, restored, strict_before, seq, version, mac)
VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: condition.update
UPDATE condition SET closed = ?1, since = ?2, void_before = ?3, config = ?4, restored = ?5, strict_before = ?6, seq = ?7, version = ?8, mac = ?9
WHERE id = 1 AND version = ?8 - 1;

-- name: configuration.latest
SELECT number, digest, document, accepted, first, second, seq, version, mac FROM configuration
WHERE digest = ?1 ORDER BY number DESC LIMIT 1;

-- name: configuration.insert
INSERT INTO configuration (number, digest, document, accepted, first, second, seq, version, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: succession.list
SELECT epoch, old_key, new_key, statement, signature, proof, seq, version, mac FROM succession ORDER BY epoch LIMIT ?1;

-- name: succession.insert
INSERT INTO succession (epoch, old_key, new_key, statement, signature, proof, seq, version, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: identity.get
SELECT name, person, role, key, state, created, seq, version, mac FROM identity WHERE name = ?1;

-- name: identity.list
SELECT name, person, role, key, state, created, seq, version, mac FROM identity ORDER BY name LIMIT ?1;

-- name: identity.insert
INSERT INTO identity (name, person, role, key, state, created, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5,
?6, ?7, ?8, ?9);

-- name: identity.update
UPDATE identity SET person = ?2, role = ?3, key = ?4, state = ?5, created = ?6, seq = ?7, version = ?8, mac = ?9
WHERE name = ?1 AND version = ?8 - 1;

-- name: proposal.get
SELECT id, kind, args, state, by_name, by_person, second, created, expires, decided, seq, version, mac FROM
proposal WHERE id = ?1;

-- name: proposal.list
SELECT id, kind, args, state, by_name, by_person, second, created, expires, decided, seq, version, mac FROM
proposal WHERE ?1 = '' OR state = ?1 ORDER BY created DESC, id LIMIT ?2;

-- name: proposal.insert
INSERT INTO proposal (id, kind, args, state, by_name, by_person, second, created, expires, decided, seq,
version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);

-- name: proposal.update
UPDATE proposal SET kind = ?2, args = ?3, state = ?4, by_name = ?5, by_person = ?6, second = ?7, created = ?8,
expires = ?9, decided = ?10, seq = ?11, version = ?12, mac = ?13 WHERE id = ?1 AND version = ?12 - 1;

-- name: signer.get
SELECT id, name, proof, state, created, seq, version, mac FROM signer WHERE id = ?1;

-- name: signer.near
SELECT id FROM signer WHERE replace(replace(replace(replace(replace(replace(lower(id), '.', ''), '_', ''), ':', ''), '#', ''), '@', ''), '-', '') = ?1 ORDER BY id LIMIT 2;

-- name: signer.insert
INSERT INTO signer (id, name, proof, state, created, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
?8);

-- name: signer.update
UPDATE signer SET name = ?2, proof = ?3, state = ?4, created = ?5, seq = ?6, version = ?7, mac = ?8 WHERE id =
?1 AND version = ?7 - 1;

-- name: authenticator.get
SELECT credential, signer, public, aaguid, backup_eligible, attestation, carrier, created,
tier, metadata, usable_from, via, seq, version, mac FROM authenticator WHERE credential = ?1;

-- name: authenticator.by_signer
SELECT credential, signer, public, aaguid, backup_eligible, attestation, carrier, created,
tier, metadata, usable_from, via, seq, version, mac FROM authenticator WHERE signer = ?1 ORDER BY credential;

-- name: authenticator.insert
INSERT INTO authenticator (credential, signer, public, aaguid, backup_eligible, attestation, carrier, created,
tier, metadata, usable_from, via, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
?13, ?14, ?15);

-- name: authenticator.delete
DELETE FROM authenticator WHERE credential = ?1;

-- name: guard.get
SELECT credential, signer, failures, locked_until, sign_count, alarm, count_seq, seq, version, mac FROM guard
WHERE credential = ?1;

-- name: guard.failed
SELECT credential, signer, failures, locked_until, sign_count, alarm, count_seq, seq, version, mac FROM guard
WHERE credential > ?1 AND (failures > 0 OR locked_until > 0 OR alarm <> '') ORDER BY credential LIMIT ?2;

-- name: guard.insert
INSERT INTO guard (credential, signer, failures, locked_until, sign_count, alarm, count_seq, seq, version, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);

-- name: guard.update
UPDATE guard SET signer = ?2, failures = ?3, locked_until = ?4, sign_count = ?5, alarm = ?6, count_seq = ?7,
seq = ?8, version = ?9, mac = ?10 WHERE credential = ?1 AND version = ?9 - 1;

-- name: guard.delete
DELETE FROM guard WHERE credential = ?1;

-- name: notice.after
SELECT signer, kind, credential, until, created, seq, version, mac FROM notice WHERE signer = ?1 AND seq > ?2
ORDER BY seq LIMIT ?3;

-- name: notice.insert
INSERT INTO notice (signer, kind, credential, until, created, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5,
?6, ?7, ?8);

-- name: enrolment.get
SELECT id, signer, code, state, begun, wrong, statement, created, expires, kind, target, first, second,
halves, taken, seq, version, mac FROM enrolment WHERE id = ?1;

-- name: enrolment.insert
INSERT INTO enrolment (id, signer, code, state, begun, wrong, statement, created, expires, kind, target,
first, second, halves, taken, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
?13, ?14, ?15, ?16, ?17, ?18);

-- name: enrolment.update
UPDATE enrolment SET signer = ?2, code = ?3, state = ?4, begun = ?5, wrong = ?6, statement = ?7, created = ?8,
expires = ?9, kind = ?10, target = ?11, first = ?12, second = ?13, halves = ?14, taken = ?15, seq = ?16,
version = ?17, mac = ?18 WHERE id = ?1 AND version = ?17 - 1;

-- name: credential.get
SELECT key, signer, key_type, public, blob, kek, carrier, state, raw, auth_hash, subject, csr, chain,
cert_hash, created, seq, version, mac FROM credential WHERE key = ?1;

-- name: credential.by_signer
SELECT key, signer, key_type, public, blob, kek, carrier, state, raw, auth_hash, subject, csr, chain,
cert_hash, created, seq, version, mac FROM credential WHERE signer = ?1 ORDER BY created, key;

-- name: credential.other_kek
SELECT key, signer, key_type, public, blob, kek, carrier, state, raw, auth_hash, subject, csr, chain,
cert_hash, created, seq, version, mac FROM credential WHERE kek <> ?1 AND state <> 'destroyed' AND key > ?2 ORDER BY key LIMIT ?3;

-- name: credential.waiting
SELECT count(*), coalesce(min((SELECT time FROM audit WHERE json_extract(data, '$.obj') = 'key:' || credential.key
AND type = 'key_retired' ORDER BY seq LIMIT 1)), 0) FROM credential WHERE state = 'revoked';

-- name: credential.insert
INSERT INTO credential (key, signer, key_type, public, blob, kek, carrier, state, raw, auth_hash, subject,
csr, chain, cert_hash, created, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
?13, ?14, ?15, ?16, ?17, ?18);

-- name: credential.update
UPDATE credential SET signer = ?2, key_type = ?3, public = ?4, blob = ?5, kek = ?6, carrier = ?7, state = ?8,
raw = ?9, auth_hash = ?10, subject = ?11, csr = ?12, chain = ?13, cert_hash = ?14, created = ?15, seq = ?16,
version = ?17, mac = ?18 WHERE key = ?1 AND version = ?17 - 1;

-- name: activation.get
SELECT session, signer, nonce_hash, binding, expires, state, redemption, digests, coalesce(text, answer), updated,
activation.seq, version, mac FROM activation LEFT JOIN answer ON answer.seq = activation.seq WHERE session = ?1;

-- name: answer.put
INSERT INTO answer (seq, text) VALUES (?1, ?2) ON CONFLICT (seq) DO UPDATE SET text = excluded.text;

-- name: activation.reserved
SELECT session, signer, nonce_hash, binding, expires, state, redemption, digests, answer, updated, seq,
version, mac FROM activation WHERE state = 'reserved' LIMIT ?1;

-- name: activation.insert
INSERT INTO activation (session, signer, nonce_hash, binding, expires, state, redemption, digests, answer,
updated, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);

-- name: activation.update
UPDATE activation SET state = ?2, redemption = ?3, digests = ?4, updated = ?5, seq = ?6, version = ?7, mac = ?8
WHERE session = ?1 AND version = ?7 - 1;

-- name: activation.reserve
UPDATE activation SET state = ?2, redemption = ?3, digests = ?4, updated = ?5, seq = ?6, version = ?7, mac =
?8 WHERE session = ?1 AND version = ?7 - 1 AND state = 'open' AND (SELECT version FROM credential WHERE key =
?9) = ?10 AND (SELECT version FROM guard WHERE credential = ?11) = ?12;

-- name: session.open_of
SELECT session, signer, nonce_hash, binding, expires, state, redemption, digests, answer, updated, seq,
version, mac FROM activation WHERE signer = ?1 AND state = 'open' AND expires > ?2 ORDER BY expires LIMIT ?3;

-- name: once.get
SELECT key, signer, caller, key_type, policy, ca, carrier, state, binding, approval, authenticator, auth_hash, subject,
public, csr, chain, cert_hash, session, created, expires, seq, version, mac
FROM onetime WHERE key = ?1;

-- name: once.insert
INSERT INTO onetime (key, signer, caller, key_type, policy, ca, carrier, state, binding, approval, authenticator, auth_hash, subject,
public, csr, chain, cert_hash, session, created, expires, seq, version, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
?23);

-- name: once.update
UPDATE onetime SET signer = ?2, caller = ?3, key_type = ?4, policy = ?5, ca = ?6, carrier = ?7, state = ?8,
binding = ?9, approval = ?10, authenticator = ?11, auth_hash = ?12, subject = ?13, public = ?14, csr = ?15,
chain = ?16, cert_hash = ?17, session = ?18, created = ?19, expires = ?20, seq = ?21, version = ?22, mac =
?23 WHERE key = ?1 AND version = ?22 - 1;

-- name: once.live
SELECT key, signer, caller, key_type, policy, ca, carrier, state, binding, approval, authenticator, auth_hash, subject,
public, csr, chain, cert_hash, session, created, expires, seq, version, mac
FROM onetime WHERE state != 'destroyed' ORDER BY signer, key LIMIT ?1;

-- name: once.live_of
SELECT key, signer, caller, key_type, policy, ca, carrier, state, binding, approval, authenticator, auth_hash, subject,
public, csr, chain, cert_hash, session, created, expires, seq, version, mac
FROM onetime WHERE signer = ?1 AND state != 'destroyed' ORDER BY key LIMIT ?2;

-- name: once.due
SELECT key, signer, caller, key_type, policy, ca, carrier, state, binding, approval, authenticator, auth_hash, subject,
public, csr, chain, cert_hash, session, created, expires, seq, version, mac
FROM onetime WHERE expires <= ?1 AND state != 'destroyed' ORDER BY expires, key LIMIT ?2;

-- name: once.purge
DELETE FROM onetime WHERE key IN (SELECT key FROM onetime WHERE expires < ?1 AND state = 'destroyed' LIMIT ?2);

-- name: expiry.put
INSERT INTO key_expiry (key, not_after) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET not_after = ?2;

-- name: expiry.due
SELECT key FROM key_expiry WHERE not_after <= ?1 ORDER BY not_after, key LIMIT ?2;

-- name: expiry.drop
DELETE FROM key_expiry WHERE key = ?1;

-- name: tombstone.insert
INSERT INTO tombstone (key, destroyed, seq, version, mac) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: enrolment.open_of
SELECT id FROM enrolment WHERE signer = ?1 AND state = 'open' ORDER BY id;

-- name: tombstone.after
SELECT key, destroyed, seq, version, mac FROM tombstone WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: tombstone.count
SELECT count(*) FROM tombstone;

-- name: session.count_open
SELECT count(*) FROM activation WHERE signer = ?1 AND state = 'open' AND expires > ?2;

-- name: answer.purge
DELETE FROM answer WHERE seq IN (SELECT seq FROM activation WHERE rowid IN (SELECT rowid FROM activation ORDER BY
rowid LIMIT ?2) AND state = 'consumed' AND updated < ?1);

-- name: session.purge
DELETE FROM activation WHERE rowid IN (SELECT rowid FROM activation ORDER BY rowid LIMIT ?3) AND ((state =
'open' AND expires < ?1) OR (state IN ('consumed', 'released', 'burnt', 'void', 'refused') AND updated < ?2));

-- name: audit.last
SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: audit.insert
INSERT INTO audit (seq, time, type, actor, outcome, reason, data, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
?8);

-- name: audit.page
SELECT seq, time, type, actor, outcome, reason, data, hash FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2;

-- name: audit.find
SELECT seq, time, type, actor, outcome, reason, data, hash FROM audit WHERE seq >= ?1 AND seq < ?2 AND time >= ?3 AND time < ?4
AND (?5 = '' OR type = ?5) AND (?6 = '' OR substr(actor, instr(actor, ':') + 1) = ?6 OR json_extract(data, '$.signer') = ?6)
ORDER BY seq LIMIT ?7;

-- name: audit.last_of_object
SELECT seq FROM audit WHERE json_extract(data, '$.obj') = ?1 ORDER BY seq DESC LIMIT 1;

-- name: audit.last_of_guard
SELECT seq FROM audit WHERE json_extract(data, '$.guard') = ?1 ORDER BY seq DESC LIMIT 1;

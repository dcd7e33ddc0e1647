INSERT INTO record (kind, id, version, expires, data) VALUES (?1, ?2, 1, ?3, ?4)
ON CONFLICT (kind, id) DO UPDATE SET version = 1, expires = excluded.expires, data = excluded.data
WHERE record.expires <= ?5

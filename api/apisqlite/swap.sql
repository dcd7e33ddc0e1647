UPDATE record SET version = version + 1, expires = ?1, data = ?2
WHERE kind = ?3 AND id = ?4 AND version = ?5 AND expires > ?6

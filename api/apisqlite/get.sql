SELECT version, expires, data FROM record WHERE kind = ?1 AND id = ?2 AND expires > ?3

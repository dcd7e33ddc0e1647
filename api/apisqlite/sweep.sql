DELETE FROM record WHERE (kind, id) IN (SELECT kind, id FROM record WHERE expires <= ?1 ORDER BY expires LIMIT ?2)

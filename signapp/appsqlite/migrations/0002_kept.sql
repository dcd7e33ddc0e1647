-- What each client makes the application keep, in bytes: of uploads, of the files and of
-- the rows of operations. Triggers keep the books, so that they change with what they
-- count, whatever changes it. A file takes whole blocks, and a row has its place in
-- indexes: 4096 and 2048 bytes are added for these.
ALTER TABLE operations ADD COLUMN files INTEGER NOT NULL DEFAULT 0;

CREATE TABLE kept (
    client     TEXT    PRIMARY KEY,
    bytes      INTEGER NOT NULL,
    operations INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO kept (client, bytes, operations)
SELECT client, sum(b), sum(n) FROM (
    SELECT client, size + 4096 AS b, 0 AS n FROM documents
    UNION ALL
    SELECT client, length(fixed) + length(progress) + 2048, 1 FROM operations
) GROUP BY client;

CREATE TRIGGER documents_kept AFTER INSERT ON documents BEGIN
    INSERT INTO kept (client, bytes, operations) VALUES (NEW.client, NEW.size + 4096, 0)
    ON CONFLICT (client) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER documents_gone AFTER DELETE ON documents BEGIN
    UPDATE kept SET bytes = bytes - OLD.size - 4096 WHERE client = OLD.client;
    DELETE FROM kept WHERE client = OLD.client AND bytes <= 0 AND operations <= 0;
END;

CREATE TRIGGER operations_kept AFTER INSERT ON operations BEGIN
    INSERT INTO kept (client, bytes, operations)
    VALUES (NEW.client, length(NEW.fixed) + length(NEW.progress) + NEW.files + 2048, 1)
    ON CONFLICT (client) DO UPDATE SET bytes = bytes + excluded.bytes, operations = operations + 1;
END;

CREATE TRIGGER operations_changed AFTER UPDATE OF fixed, progress, files ON operations BEGIN
    UPDATE kept SET bytes = bytes + length(NEW.fixed) + length(NEW.progress) + NEW.files
        - length(OLD.fixed) - length(OLD.progress) - OLD.files WHERE client = NEW.client;
END;

CREATE TRIGGER operations_gone AFTER DELETE ON operations BEGIN
    UPDATE kept SET operations = operations - 1,
        bytes = bytes - length(OLD.fixed) - length(OLD.progress) - OLD.files - 2048 WHERE client = OLD.client;
    DELETE FROM kept WHERE client = OLD.client AND bytes <= 0 AND operations <= 0;
END;

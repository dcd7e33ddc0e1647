-- Answers of consumed sessions, under the number of their outcome record: they
-- are appended in its order, and the rows of activation stay as long as they
-- were, so that neither table has pages to split. Covered by the mac of the row
-- of activation with this seq. Rows of before keep theirs in activation.answer.
CREATE TABLE answer (
  seq  INTEGER PRIMARY KEY,
  text BLOB NOT NULL
) STRICT;

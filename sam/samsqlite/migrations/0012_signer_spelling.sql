-- Signers by their ids without case and punctuation: who has a role is no signer, in any
-- spelling (ROL-03).
CREATE INDEX signer_plain ON signer (replace(replace(replace(replace(replace(replace(lower(id), '.', ''), '_', ''), ':', ''), '#', ''), '@', ''), '-', ''));

-- Which ceremony's document the module began with; empty before it.
ALTER TABLE meta ADD COLUMN ceremony TEXT NOT NULL DEFAULT '';

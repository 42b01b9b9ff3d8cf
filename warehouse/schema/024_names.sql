-- Files that scripts and evaluations keep have names of their own.

ALTER TABLE artifacts ADD COLUMN name VARCHAR;
COMMENT ON COLUMN artifacts.name IS 'What its maker calls it; empty for what the runner itself keeps.';
ALTER TABLE artifacts ADD COLUMN epoch INTEGER;
COMMENT ON COLUMN artifacts.epoch IS 'After which epoch it was made, where that is known.';
COMMENT ON COLUMN artifacts.kind IS 'picture (the model, SVG), predictions (Parquet, a file a split), or of a script: source, figure, table, file, or what it says.';

-- And runs have names in use.

COMMENT ON TABLE care IS 'What was done to kept runs afterwards, entry by entry; `tags`, `notes`, `deleted` and `aliases` are views of it.';
COMMENT ON COLUMN care.action IS 'tag, untag, note, delete, undelete, alias, unalias, or collect (weights removed by gc).';
COMMENT ON COLUMN care.text IS 'The tag, the note, the alias, or the uri of the weights.';

-- Files that scripts and evaluations keep have names of their own.

ALTER TABLE artifacts ADD COLUMN name VARCHAR;
COMMENT ON COLUMN artifacts.name IS 'What its maker calls it; empty for what the runner itself keeps.';
ALTER TABLE artifacts ADD COLUMN epoch INTEGER;
COMMENT ON COLUMN artifacts.epoch IS 'After which epoch it was made, where that is known.';
COMMENT ON COLUMN artifacts.kind IS 'picture (the model, SVG), predictions (Parquet, a file a split), or of a script: source, figure, table, file, or what it says.';

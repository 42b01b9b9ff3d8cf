-- So that `verify` need not read every journal again to see that rows are as they went in.

CREATE TABLE row_sums (
    run_id VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    sum HUGEINT NOT NULL,
    duckdb VARCHAR NOT NULL
);
COMMENT ON TABLE row_sums IS 'What the rows of a run added up to when its journal went in; `verify` reads the journals of runs whose rows no longer do.';
COMMENT ON COLUMN row_sums.run_id IS 'The run.';
COMMENT ON COLUMN row_sums.rows IS 'How many rows it had in all tables, later judgements left out.';
COMMENT ON COLUMN row_sums.sum IS 'The sum of their hashes.';
COMMENT ON COLUMN row_sums.duckdb IS 'The version of DuckDB that hashed them; others may hash otherwise.';

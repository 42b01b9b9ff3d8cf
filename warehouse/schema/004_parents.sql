-- Runs that begin with the weights of another: `run:<id>` in a param.

CREATE TABLE parents (
    run_id VARCHAR NOT NULL,
    param VARCHAR NOT NULL,
    parent_id VARCHAR NOT NULL,
    weights_id VARCHAR,
    sha256 VARCHAR
);
COMMENT ON TABLE parents IS 'Which run''s kept weights a run was given, a row for each param that named one.';
COMMENT ON COLUMN parents.run_id IS 'The run that was given them.';
COMMENT ON COLUMN parents.param IS 'The param that named them, such as architecture.weights.';
COMMENT ON COLUMN parents.parent_id IS 'The run that they are from.';
COMMENT ON COLUMN parents.weights_id IS 'The weights, as `weights` has them.';
COMMENT ON COLUMN parents.sha256 IS 'The hash of their file when they were read.';

-- What runs were trained on: a row for each identity of data, and a first look at every column.

CREATE TABLE datasets (
    identity VARCHAR NOT NULL,
    name VARCHAR,
    source VARCHAR,
    query VARCHAR,
    rows BIGINT,
    first_seen TIMESTAMP,
    run_id VARCHAR
);
COMMENT ON TABLE datasets IS 'The data that runs were trained on, once for each identity; `runs.data` names it.';
COMMENT ON COLUMN datasets.identity IS 'What the data are: a hash of their content, or what the user vouched for.';
COMMENT ON COLUMN datasets.name IS 'The component that read them.';
COMMENT ON COLUMN datasets.source IS 'The file, pattern or URI that they came from, without a password; empty for arrays.';
COMMENT ON COLUMN datasets.query IS 'The query over the source; empty where all of it was read.';
COMMENT ON COLUMN datasets.rows IS 'How many rows there are, in all parts together.';
COMMENT ON COLUMN datasets.first_seen IS 'When the first run on them started, UTC.';
COMMENT ON COLUMN datasets.run_id IS 'That run.';

CREATE TABLE dataset_columns (
    identity VARCHAR NOT NULL,
    position BIGINT,
    name VARCHAR,
    type VARCHAR,
    missing BIGINT,
    distinct_values BIGINT,
    min VARCHAR,
    max VARCHAR,
    mean DOUBLE,
    std DOUBLE,
    q25 DOUBLE,
    q50 DOUBLE,
    q75 DOUBLE,
    run_id VARCHAR
);
COMMENT ON TABLE dataset_columns IS 'What the columns of a dataset hold; of arrays, those with at most 100 features.';
COMMENT ON COLUMN dataset_columns.identity IS 'The dataset.';
COMMENT ON COLUMN dataset_columns.position IS 'The place among its columns, counted from 1.';
COMMENT ON COLUMN dataset_columns.name IS 'The column; of an array, features[0] and so on, and targets.';
COMMENT ON COLUMN dataset_columns.type IS 'Its type, as DuckDB or NumPy calls it.';
COMMENT ON COLUMN dataset_columns.missing IS 'How many rows have no value.';
COMMENT ON COLUMN dataset_columns.distinct_values IS 'How many values there are; from a query, an estimate.';
COMMENT ON COLUMN dataset_columns.min IS 'The least value, as text.';
COMMENT ON COLUMN dataset_columns.max IS 'The greatest value, as text.';
COMMENT ON COLUMN dataset_columns.mean IS 'The mean of the finite values.';
COMMENT ON COLUMN dataset_columns.std IS 'Their standard deviation.';
COMMENT ON COLUMN dataset_columns.q25 IS 'A quarter of them is less; from a query, an estimate.';
COMMENT ON COLUMN dataset_columns.q50 IS 'Half of them are less; from a query, an estimate.';
COMMENT ON COLUMN dataset_columns.q75 IS 'Three quarters of them are less; from a query, an estimate.';
COMMENT ON COLUMN dataset_columns.run_id IS 'The first run on them.';

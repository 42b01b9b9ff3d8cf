-- Filled from the files that artifacts of this kind name, and as strict as the table that it goes to.
CREATE OR REPLACE TEMP TABLE staged_prediction (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    row BIGINT NOT NULL,
    output VARCHAR,
    target DOUBLE,
    predicted DOUBLE,
    target_name VARCHAR,
    predicted_name VARCHAR,
    error DOUBLE,
    outputs FLOAT[]
);

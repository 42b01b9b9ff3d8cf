-- The checked lines of one batch of journals, a file for each kind, as temporary tables.

CREATE OR REPLACE TEMP TABLE staged_journal AS
SELECT * FROM read_json(
    getvariable('staging') || '/journal.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {run_id: 'VARCHAR', bytes: 'BIGINT', sha256: 'VARCHAR', status: 'VARCHAR', replaces: 'BOOLEAN'}
);

CREATE OR REPLACE TEMP TABLE staged_start AS
SELECT * FROM read_json(
    getvariable('staging') || '/run_start.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', started_at: 'TIMESTAMP', experiment: 'VARCHAR', fingerprint: 'VARCHAR',
        seed: 'BIGINT', engine: 'VARCHAR', device: 'VARCHAR', host: 'VARCHAR', pid: 'BIGINT',
        monitor: 'VARCHAR', mode: 'VARCHAR', overrides: 'VARCHAR[]', config: 'VARCHAR',
        params: 'STRUCT(name VARCHAR, value VARCHAR, number DOUBLE)[]',
        components: 'STRUCT(kind VARCHAR, name VARCHAR, distribution VARCHAR, version VARCHAR)[]',
        versions: 'MAP(VARCHAR, VARCHAR)', data: 'VARCHAR', sweep_id: 'VARCHAR',
        git_commit: 'VARCHAR', git_dirty: 'BOOLEAN', version: 'BIGINT',
        resumed_from: 'VARCHAR', replay_of: 'VARCHAR',
        parents: 'STRUCT(param VARCHAR, run_id VARCHAR, weights_id VARCHAR, sha256 VARCHAR)[]',
        modes: 'MAP(VARCHAR, VARCHAR)'
    }
);

CREATE OR REPLACE TEMP TABLE staged_steps AS
SELECT * FROM read_json(
    getvariable('staging') || '/steps.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {run_id: 'VARCHAR', epoch: 'BIGINT', step: 'BIGINT[]', loss: 'DOUBLE[]'}
);

CREATE OR REPLACE TEMP TABLE staged_epoch AS
SELECT * FROM read_json(
    getvariable('staging') || '/epoch_end.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', epoch: 'BIGINT', loss: 'DOUBLE', val_loss: 'DOUBLE',
        learning_rate: 'DOUBLE', seconds: 'DOUBLE', metrics: 'MAP(VARCHAR, MAP(VARCHAR, DOUBLE))'
    }
);

CREATE OR REPLACE TEMP TABLE staged_weights AS
SELECT * FROM read_json(
    getvariable('staging') || '/weights.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    columns = {
        weights_id: 'VARCHAR', run_id: 'VARCHAR', epoch: 'BIGINT', role: 'VARCHAR', uri: 'VARCHAR',
        sha256: 'VARCHAR', bytes: 'BIGINT', format: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_evaluation AS
SELECT * FROM read_json(
    getvariable('staging') || '/evaluation.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {run_id: 'VARCHAR', split: 'VARCHAR', metrics: 'MAP(VARCHAR, DOUBLE)', judgement_id: 'VARCHAR'}
);

CREATE OR REPLACE TEMP TABLE staged_confusion AS
SELECT * FROM read_json(
    getvariable('staging') || '/confusion.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', split: 'VARCHAR', classes: 'VARCHAR[]', actual: 'BIGINT[]',
        predicted: 'BIGINT[]', rows: 'BIGINT[]', judgement_id: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_curve AS
SELECT * FROM read_json(
    getvariable('staging') || '/curves.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', split: 'VARCHAR', curve: 'VARCHAR[]', class_name: 'VARCHAR[]',
        x: 'DOUBLE[][]', y: 'DOUBLE[][]', threshold: 'DOUBLE[][]', judgement_id: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_tensors AS
SELECT * FROM read_json(
    getvariable('staging') || '/tensors.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', weights_id: 'VARCHAR', layer: 'VARCHAR[]', name: 'VARCHAR[]',
        shape: 'BIGINT[][]', dtype: 'VARCHAR[]', parameters: 'BIGINT[]', mean: 'DOUBLE[]',
        std: 'DOUBLE[]', l2: 'DOUBLE[]', zero_share: 'DOUBLE[]', dead_units: 'BIGINT[]'
    }
);

CREATE OR REPLACE TEMP TABLE staged_layers AS
SELECT * FROM read_json(
    getvariable('staging') || '/layers.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', name: 'VARCHAR[]', class_name: 'VARCHAR[]', output_shape: 'BIGINT[][]',
        parameters: 'BIGINT[]', inputs: 'VARCHAR[][]', config: 'VARCHAR[]'
    }
);

CREATE OR REPLACE TEMP TABLE staged_artifact AS
SELECT * FROM read_json(
    getvariable('staging') || '/artifact.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    columns = {run_id: 'VARCHAR', kind: 'VARCHAR', uri: 'VARCHAR', sha256: 'VARCHAR', bytes: 'BIGINT'}
);

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

CREATE OR REPLACE TEMP TABLE staged_judgement AS
SELECT * FROM read_json(
    getvariable('staging') || '/judgement.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        entry_id: 'VARCHAR', run_id: 'VARCHAR', entered_at: 'TIMESTAMP', host: 'VARCHAR',
        weights_id: 'VARCHAR', source: 'VARCHAR', data: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_replay AS
SELECT * FROM read_json(
    getvariable('staging') || '/replay.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    columns = {
        run_id: 'VARCHAR', replay_of: 'VARCHAR', equal: 'BOOLEAN', epochs: 'BIGINT', epoch: 'BIGINT',
        name: 'VARCHAR', expected: 'DOUBLE', actual: 'DOUBLE'
    }
);

CREATE OR REPLACE TEMP TABLE staged_dataset AS
SELECT * FROM read_json(
    getvariable('staging') || '/dataset.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', identity: 'VARCHAR', name: 'VARCHAR', source: 'VARCHAR', query: 'VARCHAR',
        rows: 'BIGINT', columns: 'VARCHAR[]', types: 'VARCHAR[]', missing: 'BIGINT[]',
        distinct_values: 'BIGINT[]', min: 'VARCHAR[]', max: 'VARCHAR[]', mean: 'DOUBLE[]', std: 'DOUBLE[]',
        q25: 'DOUBLE[]', q50: 'DOUBLE[]', q75: 'DOUBLE[]'
    }
);

CREATE OR REPLACE TEMP TABLE staged_end AS
SELECT * FROM read_json(
    getvariable('staging') || '/run_end.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', status: 'VARCHAR', ended_at: 'TIMESTAMP', seconds: 'DOUBLE',
        epochs: 'BIGINT', best_epoch: 'BIGINT', error: 'VARCHAR', traceback: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_care AS
SELECT * FROM read_json(
    getvariable('staging') || '/care.jsonl',
    format = 'newline_delimited',
    hive_partitioning = false,
    maximum_object_size = 67108864,
    columns = {entry_id: 'VARCHAR', action: 'VARCHAR', entered_at: 'TIMESTAMP', run_id: 'VARCHAR', text: 'VARCHAR'}
);

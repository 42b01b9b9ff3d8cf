-- The checked lines of one batch of journals, a file for each kind, as temporary tables.

CREATE OR REPLACE TEMP TABLE staged_journal AS
SELECT * FROM read_json(
    getvariable('staging') || '/journal.jsonl',
    format = 'newline_delimited',
    maximum_object_size = 67108864,
    columns = {run_id: 'VARCHAR', bytes: 'BIGINT', sha256: 'VARCHAR', status: 'VARCHAR', replaces: 'BOOLEAN'}
);

CREATE OR REPLACE TEMP TABLE staged_start AS
SELECT * FROM read_json(
    getvariable('staging') || '/run_start.jsonl',
    format = 'newline_delimited',
    maximum_object_size = 67108864,
    columns = {
        run_id: 'VARCHAR', started_at: 'TIMESTAMP', experiment: 'VARCHAR', fingerprint: 'VARCHAR',
        seed: 'BIGINT', engine: 'VARCHAR', device: 'VARCHAR', host: 'VARCHAR', pid: 'BIGINT',
        monitor: 'VARCHAR', mode: 'VARCHAR', overrides: 'VARCHAR[]', config: 'VARCHAR',
        params: 'STRUCT(name VARCHAR, value VARCHAR, number DOUBLE)[]',
        components: 'STRUCT(kind VARCHAR, name VARCHAR, distribution VARCHAR, version VARCHAR)[]',
        versions: 'MAP(VARCHAR, VARCHAR)', data: 'VARCHAR', sweep_id: 'VARCHAR',
        git_commit: 'VARCHAR', git_dirty: 'BOOLEAN', version: 'BIGINT',
        resumed_from: 'VARCHAR', replay_of: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_epoch AS
SELECT * FROM read_json(
    getvariable('staging') || '/epoch_end.jsonl',
    format = 'newline_delimited',
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
    columns = {
        weights_id: 'VARCHAR', run_id: 'VARCHAR', epoch: 'BIGINT', role: 'VARCHAR', uri: 'VARCHAR',
        sha256: 'VARCHAR', bytes: 'BIGINT', format: 'VARCHAR'
    }
);

CREATE OR REPLACE TEMP TABLE staged_evaluation AS
SELECT * FROM read_json(
    getvariable('staging') || '/evaluation.jsonl',
    format = 'newline_delimited',
    maximum_object_size = 67108864,
    columns = {run_id: 'VARCHAR', split: 'VARCHAR', metrics: 'MAP(VARCHAR, DOUBLE)'}
);

CREATE OR REPLACE TEMP TABLE staged_replay AS
SELECT * FROM read_json(
    getvariable('staging') || '/replay.jsonl',
    format = 'newline_delimited',
    columns = {
        run_id: 'VARCHAR', replay_of: 'VARCHAR', equal: 'BOOLEAN', epochs: 'BIGINT', epoch: 'BIGINT',
        name: 'VARCHAR', expected: 'DOUBLE', actual: 'DOUBLE'
    }
);

CREATE OR REPLACE TEMP TABLE staged_end AS
SELECT * FROM read_json(
    getvariable('staging') || '/run_end.jsonl',
    format = 'newline_delimited',
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
    maximum_object_size = 67108864,
    columns = {entry_id: 'VARCHAR', action: 'VARCHAR', entered_at: 'TIMESTAMP', run_id: 'VARCHAR', text: 'VARCHAR'}
);

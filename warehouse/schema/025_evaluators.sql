-- What evaluators find of a model, after its training, inside of it, or later.

ALTER TABLE artifacts ADD COLUMN judgement_id VARCHAR;
COMMENT ON COLUMN artifacts.judgement_id IS 'Of what came of a later evaluation, the judgement; else empty.';
COMMENT ON COLUMN artifacts.kind IS 'picture (the model, SVG), predictions (Parquet, a file a split), or of a script or a component: source, figure, table, file, or what it says.';
COMMENT ON COLUMN artifacts.name IS 'What its maker calls it, of an evaluator with its name before it: roc.test; empty for what the runner itself keeps.';

CREATE TABLE evaluator_calls (
    run_id VARCHAR NOT NULL,
    evaluator VARCHAR NOT NULL,
    epoch INTEGER,
    training BOOLEAN,
    seconds DOUBLE,
    artifacts INTEGER,
    error VARCHAR,
    traceback VARCHAR,
    judgement_id VARCHAR
);
COMMENT ON TABLE evaluator_calls IS 'Calls of evaluators, those that failed among them; what they found is in `artifacts` and, called evaluator.name, in `evaluations`, or while the run trained in `metrics`.';
COMMENT ON COLUMN evaluator_calls.run_id IS 'The run.';
COMMENT ON COLUMN evaluator_calls.evaluator IS 'The component.';
COMMENT ON COLUMN evaluator_calls.epoch IS 'The epoch of the weights that it was given.';
COMMENT ON COLUMN evaluator_calls.training IS 'Whether the run was to go on (`every`); else it saw the kept weights.';
COMMENT ON COLUMN evaluator_calls.seconds IS 'How long it took.';
COMMENT ON COLUMN evaluator_calls.artifacts IS 'How many figures, tables and files it left.';
COMMENT ON COLUMN evaluator_calls.error IS 'Why it failed, in one sentence, with the file and line; empty where it did not.';
COMMENT ON COLUMN evaluator_calls.traceback IS 'The traceback, where it was no sentence of its own.';
COMMENT ON COLUMN evaluator_calls.judgement_id IS 'Of a later evaluation, the judgement; else empty.';

ALTER TABLE predictions ADD COLUMN key VARCHAR;
COMMENT ON COLUMN predictions.key IS 'What the row is called: the file or the key that it came from, or its place in the data as they were read; empty where nobody knows.';

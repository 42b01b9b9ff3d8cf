-- What the journals say, long and typed. Tables carry no keys: the run is the unit of ingest,
-- one transaction each, and a key would cost more than the rows.

CREATE TABLE migrations (
    number INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL,
    sha256 VARCHAR
);
COMMENT ON TABLE migrations IS 'The steps that made this schema.';
COMMENT ON COLUMN migrations.number IS 'The number of the step; 0 for the views, which are made again when they change.';
COMMENT ON COLUMN migrations.name IS 'The file it came from.';
COMMENT ON COLUMN migrations.applied_at IS 'When it ran, UTC.';
COMMENT ON COLUMN migrations.sha256 IS 'The hash of the views.';

CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    sweep_id VARCHAR,
    experiment VARCHAR,
    status VARCHAR NOT NULL,
    fingerprint VARCHAR,
    seed BIGINT,
    engine VARCHAR,
    device VARCHAR,
    host VARCHAR,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    seconds DOUBLE,
    epochs BIGINT,
    best_epoch BIGINT,
    overrides VARCHAR[],
    config VARCHAR,
    git_commit VARCHAR,
    git_dirty BOOLEAN,
    versions MAP(VARCHAR, VARCHAR),
    error VARCHAR,
    monitor VARCHAR,
    mode VARCHAR,
    pid BIGINT,
    data VARCHAR,
    format BIGINT,
    journal_bytes BIGINT,
    journal_sha256 VARCHAR
);
COMMENT ON TABLE runs IS 'One training of one composed config with one seed.';
COMMENT ON COLUMN runs.run_id IS 'A UUIDv7: its head is the time it started, its tail the short id.';
COMMENT ON COLUMN runs.sweep_id IS 'The sweep it belongs to, if it was started by one.';
COMMENT ON COLUMN runs.experiment IS 'The preset it was composed from.';
COMMENT ON COLUMN runs.status IS 'running, finished, stopped (by the user or early), failed, or lost (its process is gone; provisional).';
COMMENT ON COLUMN runs.fingerprint IS 'Hash of what determines the outcome: config, source of the components, identity of the data.';
COMMENT ON COLUMN runs.seed IS 'The seed of weights, batch order and masks.';
COMMENT ON COLUMN runs.engine IS 'What trained it: keras, fast or packed.';
COMMENT ON COLUMN runs.device IS 'The device it trained on.';
COMMENT ON COLUMN runs.host IS 'The machine it ran on.';
COMMENT ON COLUMN runs.started_at IS 'When it started, UTC.';
COMMENT ON COLUMN runs.ended_at IS 'When it ended, UTC; empty while it runs and where it was lost.';
COMMENT ON COLUMN runs.seconds IS 'How long it took; for a lost or running run, the sum over its epochs.';
COMMENT ON COLUMN runs.epochs IS 'How many epochs it trained.';
COMMENT ON COLUMN runs.best_epoch IS 'The best epoch by `monitor`.';
COMMENT ON COLUMN runs.overrides IS 'The overrides of its command line.';
COMMENT ON COLUMN runs.config IS 'The resolved config as JSON text; `params` holds it flattened.';
COMMENT ON COLUMN runs.git_commit IS 'The commit of the directory it was started in.';
COMMENT ON COLUMN runs.git_dirty IS 'Whether that directory held changes not committed.';
COMMENT ON COLUMN runs.versions IS 'Package -> version, of what took part.';
COMMENT ON COLUMN runs.error IS 'Why it failed or was stopped, one sentence.';
COMMENT ON COLUMN runs.monitor IS 'The metric that decides: val_loss, or another with its split in front.';
COMMENT ON COLUMN runs.mode IS 'min or max: which end of `monitor` is better.';
COMMENT ON COLUMN runs.pid IS 'The process that trained it.';
COMMENT ON COLUMN runs.data IS 'What the dataset was, as JSON text: identity, task, rows of each split.';
COMMENT ON COLUMN runs.format IS 'The format version of its journal.';
COMMENT ON COLUMN runs.journal_bytes IS 'The length of its journal, uncompressed.';
COMMENT ON COLUMN runs.journal_sha256 IS 'The hash of its journal, uncompressed.';

CREATE TABLE params (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    value VARCHAR,
    number DOUBLE
);
COMMENT ON TABLE params IS 'The resolved config of a run, flattened.';
COMMENT ON COLUMN params.run_id IS 'The run.';
COMMENT ON COLUMN params.name IS 'The dotted name, as an override would write it.';
COMMENT ON COLUMN params.value IS 'The value as text.';
COMMENT ON COLUMN params.number IS 'The value as a number, where it is one.';

CREATE TABLE epochs (
    run_id VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    loss DOUBLE,
    val_loss DOUBLE,
    learning_rate DOUBLE,
    seconds DOUBLE
);
COMMENT ON TABLE epochs IS 'One epoch of a run.';
COMMENT ON COLUMN epochs.run_id IS 'The run.';
COMMENT ON COLUMN epochs.epoch IS 'Counted from 1.';
COMMENT ON COLUMN epochs.loss IS 'Training loss over the epoch.';
COMMENT ON COLUMN epochs.val_loss IS 'Validation loss after the epoch; empty without a validation split.';
COMMENT ON COLUMN epochs.learning_rate IS 'Learning rate at the end of the epoch.';
COMMENT ON COLUMN epochs.seconds IS 'How long the epoch took.';

CREATE TABLE metrics (
    run_id VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    split VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    value DOUBLE
);
COMMENT ON TABLE metrics IS 'The user''s metrics, epoch by epoch; the losses are in `epochs`.';
COMMENT ON COLUMN metrics.run_id IS 'The run.';
COMMENT ON COLUMN metrics.epoch IS 'Counted from 1.';
COMMENT ON COLUMN metrics.split IS 'train or val.';
COMMENT ON COLUMN metrics.name IS 'The metric, without its split.';
COMMENT ON COLUMN metrics.value IS 'Its value; NaN and infinity are kept as such.';

CREATE TABLE run_metrics (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    first DOUBLE,
    last DOUBLE,
    min DOUBLE,
    max DOUBLE,
    best_epoch BIGINT,
    mode VARCHAR
);
COMMENT ON TABLE run_metrics IS 'Every metric of a run in one row, losses included as `loss`; kept at ingest.';
COMMENT ON COLUMN run_metrics.run_id IS 'The run.';
COMMENT ON COLUMN run_metrics.split IS 'train or val.';
COMMENT ON COLUMN run_metrics.name IS 'The metric, without its split.';
COMMENT ON COLUMN run_metrics.first IS 'Its value after the first epoch.';
COMMENT ON COLUMN run_metrics.last IS 'Its value after the last epoch.';
COMMENT ON COLUMN run_metrics.min IS 'Its least value; NaN left out.';
COMMENT ON COLUMN run_metrics.max IS 'Its greatest value; NaN left out.';
COMMENT ON COLUMN run_metrics.best_epoch IS 'The first epoch with its best value, by `mode`.';
COMMENT ON COLUMN run_metrics.mode IS 'min or max, which end is better: as the run says for its monitor, else by the name.';

CREATE TABLE evaluations (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    value DOUBLE
);
COMMENT ON TABLE evaluations IS 'The kept weights judged on a whole split, after training.';
COMMENT ON COLUMN evaluations.run_id IS 'The run.';
COMMENT ON COLUMN evaluations.split IS 'train, val or test.';
COMMENT ON COLUMN evaluations.name IS 'The metric, or loss.';
COMMENT ON COLUMN evaluations.value IS 'Its value.';

CREATE TABLE components (
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    distribution VARCHAR,
    version VARCHAR
);
COMMENT ON TABLE components IS 'Which component of which package took part in a run.';
COMMENT ON COLUMN components.run_id IS 'The run.';
COMMENT ON COLUMN components.kind IS 'dataset, architecture, optimizer, regularizer, ...';
COMMENT ON COLUMN components.name IS 'The component.';
COMMENT ON COLUMN components.distribution IS 'The package that provides it.';
COMMENT ON COLUMN components.version IS 'That package''s version.';

CREATE TABLE weights (
    weights_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    epoch BIGINT,
    role VARCHAR,
    uri VARCHAR,
    sha256 VARCHAR,
    bytes BIGINT,
    format VARCHAR
);
COMMENT ON TABLE weights IS 'References to saved weights; equal weights share one file.';
COMMENT ON COLUMN weights.weights_id IS 'The reference.';
COMMENT ON COLUMN weights.run_id IS 'The run that saved them.';
COMMENT ON COLUMN weights.epoch IS 'The epoch they are of.';
COMMENT ON COLUMN weights.role IS 'best, checkpoint or graph.';
COMMENT ON COLUMN weights.uri IS 'The file, relative to the results folder.';
COMMENT ON COLUMN weights.sha256 IS 'The hash of the file.';
COMMENT ON COLUMN weights.bytes IS 'The length of the file.';
COMMENT ON COLUMN weights.format IS 'The format of the file.';

CREATE TABLE failures (
    run_id VARCHAR NOT NULL,
    error VARCHAR,
    traceback VARCHAR,
    last_finite_epoch BIGINT
);
COMMENT ON TABLE failures IS 'Why a run failed.';
COMMENT ON COLUMN failures.run_id IS 'The run.';
COMMENT ON COLUMN failures.error IS 'One sentence.';
COMMENT ON COLUMN failures.traceback IS 'The whole traceback.';
COMMENT ON COLUMN failures.last_finite_epoch IS 'The last epoch whose losses are finite.';

CREATE TABLE care (
    entry_id VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    entered_at TIMESTAMP NOT NULL,
    run_id VARCHAR,
    text VARCHAR
);
COMMENT ON TABLE care IS 'What was done to kept runs afterwards, entry by entry; `tags`, `notes` and `deleted` are views of it.';
COMMENT ON COLUMN care.entry_id IS 'The entry.';
COMMENT ON COLUMN care.action IS 'tag, untag, note, delete, undelete, or collect (weights removed by gc).';
COMMENT ON COLUMN care.entered_at IS 'When, UTC.';
COMMENT ON COLUMN care.run_id IS 'The run, but for collect.';
COMMENT ON COLUMN care.text IS 'The tag, the note, or the uri of the weights.';

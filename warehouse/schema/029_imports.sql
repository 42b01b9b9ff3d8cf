-- Runs of other trackers.

COMMENT ON COLUMN metrics.split IS 'train or val; of imported runs test, too, where that was logged at several steps.';

ALTER TABLE runs ADD COLUMN imported_from VARCHAR;
COMMENT ON COLUMN runs.imported_from IS 'The address at another tracker that it was imported from; empty for all others. Its engine is the tracker: mlflow, tensorboard, wandb or csv.';

CREATE TABLE files_elsewhere (
    run_id VARCHAR NOT NULL,
    path VARCHAR,
    address VARCHAR,
    bytes BIGINT
);
COMMENT ON TABLE files_elsewhere IS 'Files of imported runs that stayed where they are: no command looks after them, and they may be gone.';
COMMENT ON COLUMN files_elsewhere.run_id IS 'The run.';
COMMENT ON COLUMN files_elsewhere.path IS 'The name within the run; empty for the place of all its files, where that could not be listed.';
COMMENT ON COLUMN files_elsewhere.address IS 'The path or URI.';
COMMENT ON COLUMN files_elsewhere.bytes IS 'The length, where it is known.';

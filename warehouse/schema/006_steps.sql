-- The training loss inside of epochs, where a run was asked to record it.

CREATE TABLE steps (
    run_id VARCHAR NOT NULL,
    epoch BIGINT NOT NULL,
    step BIGINT NOT NULL,
    loss DOUBLE
);
COMMENT ON TABLE steps IS 'The training loss inside of epochs, where `record_steps` asked; of a resumed run, in the epochs that it trained itself.';
COMMENT ON COLUMN steps.run_id IS 'The run.';
COMMENT ON COLUMN steps.epoch IS 'Counted from 1.';
COMMENT ON COLUMN steps.step IS 'How many batches of the epoch were done, counted from 1.';
COMMENT ON COLUMN steps.loss IS 'The mean training loss of the batches since the step before.';

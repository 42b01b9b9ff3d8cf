-- Runs that go on from another, and runs that repeat another to see whether they can.

ALTER TABLE runs ADD COLUMN resumed_from VARCHAR;
ALTER TABLE runs ADD COLUMN replay_of VARCHAR;
COMMENT ON COLUMN runs.resumed_from IS 'The run whose first epochs this one begins with, if it was resumed.';
COMMENT ON COLUMN runs.replay_of IS 'The run that this one repeats, if it is a replay.';

CREATE TABLE replays (
    run_id VARCHAR NOT NULL,
    replay_of VARCHAR NOT NULL,
    equal BOOLEAN NOT NULL,
    epochs BIGINT NOT NULL,
    epoch BIGINT,
    name VARCHAR,
    expected DOUBLE,
    actual DOUBLE
);
COMMENT ON TABLE replays IS 'How the losses of a replay compare with those of the run that it repeats.';
COMMENT ON COLUMN replays.run_id IS 'The replay.';
COMMENT ON COLUMN replays.replay_of IS 'The run that it repeats.';
COMMENT ON COLUMN replays.equal IS 'Whether every loss and val_loss is the same, bit for bit.';
COMMENT ON COLUMN replays.epochs IS 'How many epochs were compared.';
COMMENT ON COLUMN replays.epoch IS 'The first epoch that differs.';
COMMENT ON COLUMN replays.name IS 'What differs in it: loss, val_loss, or epochs where one of the two has no such epoch.';
COMMENT ON COLUMN replays.expected IS 'Its value in the earlier run.';
COMMENT ON COLUMN replays.actual IS 'Its value in the replay.';

-- The engine's name alone, with its reason beside it; and a run's own time beside its pack's.

ALTER TABLE runs ADD COLUMN engine_reason VARCHAR;
ALTER TABLE runs ADD COLUMN wall_seconds DOUBLE;
ALTER TABLE epochs ADD COLUMN wall_seconds DOUBLE;

-- Up to now the reason stood in brackets behind the name.
UPDATE runs
SET
    engine_reason = nullif(regexp_extract(engine, '^[^ (]+ \((.*)\)$', 1), ''),
    engine = CASE WHEN regexp_matches(engine, '^[^ (]+ \(.*\)$') THEN regexp_extract(engine, '^[^ (]+') ELSE engine END,
    wall_seconds = seconds;
UPDATE epochs SET wall_seconds = seconds;

COMMENT ON COLUMN runs.engine_reason IS 'Why that engine and no other (packed declines: ..., fast declines: ...); of a packed run, its pack (300 runs from ...). Empty where the engine is the one that was asked for.';
COMMENT ON COLUMN runs.seconds IS 'How long it took; in a pack its share of the time, so that sums are true. For a lost or running run, the sum over its epochs. Of a run that was packed before `wall_seconds` was recorded it is the pack''s time.';
COMMENT ON COLUMN runs.wall_seconds IS 'How long it took by the clock on the wall, with all that its neighbours in a pack did meanwhile.';
COMMENT ON COLUMN epochs.seconds IS 'How long the epoch took; in a pack its share of the time, so that sums and rows a second are true.';
COMMENT ON COLUMN epochs.wall_seconds IS 'How long the epoch took by the clock on the wall, neighbours in a pack included.';

CREATE TABLE skipped_runs (
    sweep_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    job VARCHAR NOT NULL,
    skipped_at TIMESTAMPTZ NOT NULL,
    entry_id VARCHAR NOT NULL
);
COMMENT ON TABLE skipped_runs IS 'The runs that a sweep names and did not train, since an earlier command had; `sweep_runs` has all runs of a sweep.';
COMMENT ON COLUMN skipped_runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN skipped_runs.run_id IS 'The earlier run.';
COMMENT ON COLUMN skipped_runs.job IS 'The overrides of the job that names it.';
COMMENT ON COLUMN skipped_runs.skipped_at IS 'When.';
COMMENT ON COLUMN skipped_runs.entry_id IS 'The entry of the journal that says so.';

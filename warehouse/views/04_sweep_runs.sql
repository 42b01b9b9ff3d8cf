CREATE OR REPLACE VIEW sweep_runs AS
SELECT sweep_id, run_id, job, trained
FROM (
    SELECT sweep_id, run_id, array_to_string(overrides, ' ') AS job, 'now' AS trained
    FROM runs
    WHERE sweep_id IS NOT NULL
    UNION ALL
    SELECT DISTINCT ON (s.sweep_id, s.run_id) s.sweep_id, s.run_id, s.job, 'before'
    FROM skipped_runs AS s
    -- Where a sweep is taken up again, it skips what it trained itself.
    ANTI JOIN runs AS r ON r.run_id = s.run_id AND r.sweep_id = s.sweep_id
) AS named
ANTI JOIN deleted USING (run_id);
COMMENT ON VIEW sweep_runs IS 'All runs that a sweep names, once each: those that it trained, and those that were there before; deleted runs are left out.';
COMMENT ON COLUMN sweep_runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN sweep_runs.run_id IS 'The run.';
COMMENT ON COLUMN sweep_runs.job IS 'The overrides of the job that names it.';
COMMENT ON COLUMN sweep_runs.trained IS 'now: by this sweep; before: by an earlier command, and skipped.';

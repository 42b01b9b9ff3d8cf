CREATE OR REPLACE VIEW sweeps AS
SELECT
    sweep_id,
    count(*) AS runs,
    count(*) FILTER (WHERE status = 'finished') AS finished,
    count(*) FILTER (WHERE status IN ('failed', 'lost')) AS failed,
    min(started_at) AS started_at,
    max(ended_at) AS ended_at
FROM runs ANTI JOIN deleted USING (run_id)
WHERE sweep_id IS NOT NULL
GROUP BY sweep_id;
COMMENT ON VIEW sweeps IS 'All the runs of one --multirun command; deleted runs are left out.';
COMMENT ON COLUMN sweeps.sweep_id IS 'The sweep.';
COMMENT ON COLUMN sweeps.runs IS 'How many runs it has so far.';
COMMENT ON COLUMN sweeps.finished IS 'How many of them finished.';
COMMENT ON COLUMN sweeps.failed IS 'How many of them failed or were lost.';
COMMENT ON COLUMN sweeps.started_at IS 'When its first run started.';
COMMENT ON COLUMN sweeps.ended_at IS 'When its last run so far ended.';

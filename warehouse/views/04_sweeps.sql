CREATE OR REPLACE VIEW sweeps AS
SELECT
    s.sweep_id,
    count(*) AS runs,
    count(*) FILTER (WHERE r.status = 'finished') AS finished,
    count(*) FILTER (WHERE r.status IN ('failed', 'lost')) AS failed,
    coalesce(min(r.started_at) FILTER (WHERE s.trained = 'now'), min(k.skipped_at)) AS started_at,
    coalesce(max(r.ended_at) FILTER (WHERE s.trained = 'now'), max(k.skipped_at)) AS ended_at,
    count(*) FILTER (WHERE s.trained = 'before') AS skipped,
    count(*) FILTER (WHERE r.status = 'running') AS running,
    count(*) FILTER (WHERE r.status = 'stopped') AS stopped,
    max(r.sweep_jobs) FILTER (WHERE s.trained = 'now') AS planned,
    count(*) FILTER (WHERE r.reason = 'pruned') AS pruned
FROM sweep_runs AS s
JOIN runs AS r ON r.run_id = s.run_id
LEFT JOIN (
    SELECT sweep_id, run_id, min(skipped_at) AS skipped_at FROM skipped_runs GROUP BY sweep_id, run_id
) AS k ON k.sweep_id = s.sweep_id AND k.run_id = s.run_id
GROUP BY s.sweep_id;
COMMENT ON VIEW sweeps IS 'All the runs that one --multirun command names; deleted runs are left out.';
COMMENT ON COLUMN sweeps.sweep_id IS 'The sweep.';
COMMENT ON COLUMN sweeps.runs IS 'How many runs it has so far.';
COMMENT ON COLUMN sweeps.finished IS 'How many of them finished.';
COMMENT ON COLUMN sweeps.failed IS 'How many of them failed or were lost.';
COMMENT ON COLUMN sweeps.started_at IS 'When its first run started; of a sweep that trained nothing, when it skipped.';
COMMENT ON COLUMN sweeps.ended_at IS 'When its last run so far ended; of a sweep that trained nothing, when it skipped.';
COMMENT ON COLUMN sweeps.skipped IS 'How many of them an earlier command had trained.';
COMMENT ON COLUMN sweeps.running IS 'How many of them train now.';
COMMENT ON COLUMN sweeps.stopped IS 'How many of them were stopped, by whomever.';
COMMENT ON COLUMN sweeps.pruned IS 'How many of those a pruner stopped.';
COMMENT ON COLUMN sweeps.planned IS 'How many jobs the command has; empty where its sweeper does not say. Jobs that are the same run, and refused ones, count, too.';

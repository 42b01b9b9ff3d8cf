-- The sweeps, the newest first.
SELECT
    s.sweep_id AS sweep,
    s.runs,
    s.finished,
    s.failed,
    (SELECT count(*) FROM runs AS r WHERE r.sweep_id = s.sweep_id AND r.status = 'running') AS running,
    s.started_at AS started,
    s.ended_at AS ended
FROM sweeps AS s
ORDER BY s.started_at DESC NULLS LAST, s.sweep_id DESC
LIMIT 500;

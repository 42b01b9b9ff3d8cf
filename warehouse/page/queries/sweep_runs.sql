-- The runs of a sweep with what they reached, in the order in which they ended.
SELECT run_id, status, monitor, mode, best, best_epoch, epochs, seconds, started_at, ended_at
FROM leaderboard
JOIN (SELECT run_id, ended_at FROM runs) USING (run_id)
WHERE sweep_id = $sweep
ORDER BY coalesce(ended_at, started_at), run_id;

-- The sweeps, the newest first, or $sweep alone.
SELECT
    sweep_id AS sweep,
    planned,
    runs,
    finished,
    running,
    stopped,
    failed,
    skipped,
    started_at AS started,
    ended_at AS ended
FROM sweeps
WHERE $sweep::VARCHAR IS NULL OR sweep_id = $sweep
ORDER BY started_at DESC NULLS LAST, sweep_id DESC
LIMIT 500;

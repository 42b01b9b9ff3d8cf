-- The $count newest runs that have an epoch.
SELECT run_id
FROM runs ANTI JOIN deleted USING (run_id)
WHERE epochs > 0
ORDER BY started_at DESC, run_id DESC
LIMIT $count;

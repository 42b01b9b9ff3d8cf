-- The best run of each experiment, by what it monitors.
SELECT experiment, dataset, monitor, best, best_epoch, run_id
FROM leaderboard
WHERE best IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY experiment, dataset, monitor ORDER BY rank, run_id) = 1
ORDER BY experiment, dataset, monitor;

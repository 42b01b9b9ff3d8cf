-- Every metric of a run in one row.
SELECT split, name, first, last, min, max, best_epoch
FROM run_metrics
WHERE run_id = $run
ORDER BY name <> 'loss', name, split DESC;

-- The best epoch of the metric $name on $splits, of $runs.
SELECT run_id, split, best_epoch
FROM run_metrics
WHERE
    run_id IN (SELECT unnest($runs::VARCHAR[]))
    AND name = $name
    AND split IN (SELECT unnest($splits::VARCHAR[]));

-- The metrics that runs recorded, the most frequent first.
SELECT name, count(DISTINCT run_id) AS runs
FROM run_metrics
WHERE $runs::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($runs::VARCHAR[]))
GROUP BY name
ORDER BY name <> 'loss', runs DESC, name;

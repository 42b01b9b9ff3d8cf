-- The last value of the metrics called $names ("val loss"), of all runs or of $runs.
SELECT run_id, concat(split, ' ', name) AS name, last AS value
FROM run_metrics
WHERE
    concat(split, ' ', name) IN (SELECT unnest($names::VARCHAR[]))
    AND ($runs::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($runs::VARCHAR[])));

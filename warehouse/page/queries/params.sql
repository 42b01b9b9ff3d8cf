-- The params called $names of all runs, or of $runs.
SELECT run_id, name, value, number
FROM params
WHERE
    name IN (SELECT unnest($names::VARCHAR[]))
    AND ($runs::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($runs::VARCHAR[])));

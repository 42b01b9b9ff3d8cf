-- The evaluations called $names ("test accuracy"), of all runs or of $runs.
SELECT run_id, concat(split, ' ', name) AS name, value
FROM evaluations
WHERE
    judgement_id IS NULL
    AND concat(split, ' ', name) IN (SELECT unnest($names::VARCHAR[]))
    AND ($runs::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($runs::VARCHAR[])));

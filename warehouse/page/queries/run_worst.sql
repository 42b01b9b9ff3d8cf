-- The rows that the kept weights get most wrong.
SELECT split, row, key, output, target_name, predicted_name, target, predicted, error
FROM predictions
WHERE run_id = $run
ORDER BY error DESC NULLS LAST, split, row
LIMIT 20;

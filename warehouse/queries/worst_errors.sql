-- The rows that each run gets most wrong (keep_predictions=test keeps them).
SELECT run_id, split, row, key, target_name, predicted_name, target, predicted, error
FROM predictions
QUALIFY row_number() OVER (PARTITION BY run_id, split ORDER BY error DESC, row) <= 10
ORDER BY run_id, split, error DESC, row;

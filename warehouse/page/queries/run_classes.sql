-- The evaluations of single classes, labels or values, a column for each score.
SELECT
    split,
    class,
    max(value) FILTER (name = 'precision') AS precision,
    max(value) FILTER (name = 'recall') AS recall,
    max(value) FILTER (name = 'f1') AS f1,
    max(value) FILTER (name = 'roc_auc') AS roc_auc,
    max(value) FILTER (name = 'pr_auc') AS pr_auc,
    max(value) FILTER (name = 'mae') AS mae,
    max(value) FILTER (name = 'rmse') AS rmse,
    max(value) FILTER (name = 'r2') AS r2
FROM class_scores
WHERE run_id = $run
GROUP BY split, class
ORDER BY split, class;

-- The evaluations of single classes, labels or values.
SELECT split, class, name, value FROM class_scores WHERE run_id = $run ORDER BY split, class, name;

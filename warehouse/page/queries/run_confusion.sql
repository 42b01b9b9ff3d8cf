-- Which classes are taken for which, on each split.
SELECT split, predicted, actual, rows
FROM confusion
WHERE run_id = $run AND judgement_id IS NULL
ORDER BY split;

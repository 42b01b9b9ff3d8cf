-- ROC, precision-recall and calibration curves.
SELECT split, curve, class, x, y
FROM curves_points
WHERE run_id = $run AND judgement_id IS NULL
ORDER BY split, curve, class, point;

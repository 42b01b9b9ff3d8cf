-- Which runs were soonest at a validation accuracy of 0.9, in seconds of training.
SELECT t.reached, t.epoch, t.seconds, t.value, r.run_id, r.overrides
FROM time_to('val_accuracy', 0.9) AS t
JOIN runs AS r ON r.run_id = t.run_id
ORDER BY t.reached DESC, t.seconds, t.run_id;

-- Learning rate, seconds, and rows a second of each epoch.
SELECT e.epoch, e.learning_rate, e.seconds, s.rows_per_second
FROM epochs AS e
LEFT JOIN speed AS s ON s.run_id = e.run_id AND s.epoch = e.epoch
WHERE e.run_id = $run
ORDER BY e.epoch;

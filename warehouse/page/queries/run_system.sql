-- What the machine did while the run trained, where it was sampled.
SELECT * FROM system WHERE run_id = $run ORDER BY ALL LIMIT 20000;

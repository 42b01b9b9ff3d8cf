-- Learning rate and seconds of each epoch.
SELECT epoch, learning_rate, seconds FROM epochs WHERE run_id = $run ORDER BY epoch;

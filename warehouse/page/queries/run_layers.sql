-- The layers of the network.
SELECT position, name, class, output_shape, parameters
FROM layers
WHERE run_id = $run
ORDER BY position;

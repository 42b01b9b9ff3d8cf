-- The numbers of the kept weights.
SELECT t.layer, t.name, t.shape, t.parameters, t.mean, t.std, t.l2, t.zero_share, t.dead_units
FROM tensors AS t
JOIN weights AS w ON w.weights_id = t.weights_id
WHERE t.run_id = $run AND w.role = 'best'
ORDER BY t.layer, t.name;

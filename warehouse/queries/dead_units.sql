-- Which runs have dead units or mostly empty tensors in the weights that they kept.
SELECT t.run_id, t.layer, t.name, t.shape, t.dead_units, t.zero_share
FROM tensors AS t
JOIN weights AS w ON w.weights_id = t.weights_id AND w.role = 'best'
WHERE t.dead_units > 0 OR (t.zero_share > 0.5 AND len(t.shape) > 1)
ORDER BY t.dead_units DESC, t.zero_share DESC, t.run_id, t.layer;

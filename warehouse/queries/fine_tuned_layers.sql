-- How far each layer of a run moved from the run whose weights it began with (weights=run:<id>).
-- Moments give a lower bound of the distance, as in layers_that_moved.
SELECT
    p.run_id,
    p.parent_id,
    t.layer,
    sqrt(sum(t.parameters * ((t.mean - b.mean) ** 2 + (t.std - b.std) ** 2))) AS at_least
FROM parents AS p
JOIN weights AS w ON w.run_id = p.run_id AND w.role = 'best'
JOIN tensors AS t ON t.weights_id = w.weights_id
JOIN tensors AS b
    ON b.weights_id = p.weights_id AND b.layer = t.layer AND b.name = t.name AND b.shape = t.shape
GROUP BY p.run_id, p.parent_id, t.layer
ORDER BY p.run_id, at_least DESC, t.layer;

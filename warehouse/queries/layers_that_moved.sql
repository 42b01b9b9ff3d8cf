-- Which layers moved most between a run's first and last checkpoint (checkpoint=N keeps them).
-- Moments give a lower bound of the distance: the root of n ((mean' - mean)^2 + (std' - std)^2).
SELECT
    run_id,
    layer,
    min(first) AS from_epoch,
    max(last) AS to_epoch,
    sqrt(sum(moved)) AS at_least,
    sqrt(sum(moved) / nullif(sum(was), 0)) AS relative
FROM (
    SELECT
        t.run_id,
        t.layer,
        t.name,
        min(w.epoch) AS first,
        max(w.epoch) AS last,
        any_value(t.parameters) * (
            (arg_max(t.mean, w.epoch) - arg_min(t.mean, w.epoch)) ** 2
            + (arg_max(t.std, w.epoch) - arg_min(t.std, w.epoch)) ** 2
        ) AS moved,
        arg_min(t.l2, w.epoch) ** 2 AS was
    FROM tensors AS t
    JOIN weights AS w ON w.weights_id = t.weights_id AND w.role = 'checkpoint'
    GROUP BY t.run_id, t.layer, t.name
)
WHERE first < last
GROUP BY run_id, layer
ORDER BY run_id, at_least DESC, layer;

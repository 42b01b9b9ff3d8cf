-- Which stored files does a run still need that is not deleted? `gc` asks this, too.

WITH alive AS (
    FROM runs ANTI JOIN deleted USING (run_id)
),

needed AS (
    SELECT uri FROM weights SEMI JOIN alive USING (run_id)
    UNION
    SELECT uri FROM artifacts SEMI JOIN alive USING (run_id)
    UNION
    -- Without the weights that it was made from, a run could not be trained again.
    SELECT w.uri
    FROM parents AS p
    SEMI JOIN alive ON alive.run_id = p.run_id
    JOIN weights AS w ON w.run_id = p.parent_id
    WHERE p.weights_id IS NULL OR p.weights_id = w.weights_id OR p.sha256 = w.sha256
)

SELECT uri, bool_or(uri IN (FROM needed)) AS is_needed, list(DISTINCT run_id) AS runs
FROM (
    SELECT uri, run_id FROM weights
    UNION ALL
    SELECT uri, run_id FROM artifacts
)
WHERE uri IS NOT NULL
GROUP BY uri;

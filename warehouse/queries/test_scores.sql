-- Test scores of finished runs, a column for each metric.
PIVOT (
    SELECT r.experiment, e.run_id, e.name, e.value
    FROM evaluations AS e
    JOIN runs AS r ON r.run_id = e.run_id
    WHERE
        e.split = 'test'
        AND e.judgement_id IS NULL
        AND NOT contains(e.name, '[')
        AND r.status = 'finished'
)
ON name USING any_value(value)
ORDER BY experiment, run_id;

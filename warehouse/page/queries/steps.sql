-- The training loss inside of epochs, of those of $runs that recorded it, by the batches done.
WITH sizes AS (
    SELECT run_id, epoch, max(step) AS steps
    FROM steps
    WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
    GROUP BY run_id, epoch
),

starts AS (
    SELECT
        run_id,
        epoch,
        coalesce(sum(steps) OVER (
            PARTITION BY run_id ORDER BY epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
    FROM sizes
)

SELECT s.run_id, 'train' AS split, starts.before + s.step AS step, s.loss AS value
FROM steps AS s
JOIN starts ON starts.run_id = s.run_id AND starts.epoch = s.epoch
ORDER BY s.run_id, step;

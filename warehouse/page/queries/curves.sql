-- One metric, $name, on $splits of $runs, epoch by epoch, with the seconds that had gone by.
WITH clock AS (
    SELECT run_id, epoch, sum(seconds) OVER (PARTITION BY run_id ORDER BY epoch) AS elapsed
    FROM epochs
    WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
)

SELECT c.run_id, c.split, c.epoch, c.value, clock.elapsed
FROM curves AS c
LEFT JOIN clock ON clock.run_id = c.run_id AND clock.epoch = c.epoch
WHERE
    c.run_id IN (SELECT unnest($runs::VARCHAR[]))
    AND c.name = $name
    AND c.split IN (SELECT unnest($splits::VARCHAR[]))
ORDER BY c.run_id, c.split, c.epoch;

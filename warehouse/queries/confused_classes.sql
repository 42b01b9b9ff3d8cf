-- Which classes are taken for which others on the test split, the most frequent mistakes first.
SELECT
    c.run_id,
    c.actual,
    c.predicted,
    c.rows,
    round(c.rows / sum(c.rows) OVER (PARTITION BY c.run_id, c.actual), 3) AS share_of_actual
FROM confusion AS c
WHERE c.split = 'test' AND c.judgement_id IS NULL
QUALIFY c.actual <> c.predicted
ORDER BY c.rows DESC, c.run_id, c.actual, c.predicted
LIMIT 50;

-- What kept weights reach on other data (python -m runner evaluate), beside the run's own test.
SELECT j.run_id, j.source, e.split, e.name, e.value, o.value AS own_test, j.judged_at
FROM judgements AS j
JOIN evaluations AS e ON e.judgement_id = j.judgement_id AND NOT contains(e.name, '[')
LEFT JOIN evaluations AS o
    ON o.run_id = j.run_id AND o.judgement_id IS NULL AND o.split = 'test' AND o.name = e.name
ORDER BY j.run_id, j.judged_at, e.split, e.name;

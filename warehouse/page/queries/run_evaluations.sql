-- The kept weights on whole splits, after training and later.
SELECT e.split, e.name, e.value, j.source AS elsewhere
FROM evaluations AS e
LEFT JOIN judgements AS j ON j.judgement_id = e.judgement_id
WHERE e.run_id = $run AND NOT contains(e.name, '[')
ORDER BY j.judged_at NULLS FIRST, e.split, e.name;

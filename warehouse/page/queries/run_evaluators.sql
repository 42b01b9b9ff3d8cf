-- The calls of evaluators, and why one failed.
SELECT
    evaluator,
    epoch,
    CASE WHEN training THEN 'while it trained' WHEN judgement_id IS NOT NULL THEN 'later' ELSE 'after training' END AS "when",
    round(seconds, 3) AS seconds,
    artifacts,
    error
FROM evaluator_calls
WHERE run_id = $run
ORDER BY evaluator, judgement_id IS NOT NULL, training, epoch;

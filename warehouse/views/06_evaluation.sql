CREATE OR REPLACE VIEW class_scores AS
SELECT
    run_id,
    split,
    substr(name, strpos(name, '[') + 1, len(name) - strpos(name, '[') - 1) AS class,
    substr(name, 1, strpos(name, '[') - 1) AS name,
    value
FROM evaluations ANTI JOIN deleted USING (run_id)
WHERE
    contains(name, '[')
    -- Those of evaluators are called evaluator.metric.
    AND NOT contains(split_part(name, '[', 1), '.')
    AND judgement_id IS NULL;
COMMENT ON VIEW class_scores IS 'The evaluations of single classes, labels or values, their names taken apart; deleted runs and later judgements are left out.';
COMMENT ON COLUMN class_scores.run_id IS 'The run.';
COMMENT ON COLUMN class_scores.split IS 'train, val or test.';
COMMENT ON COLUMN class_scores.class IS 'The class, label or value; of one of several heads with its name before it, as kind.cat.';
COMMENT ON COLUMN class_scores.name IS 'The metric: precision, recall, f1, roc_auc, pr_auc; mae, rmse, r2, mape.';
COMMENT ON COLUMN class_scores.value IS 'Its value.';

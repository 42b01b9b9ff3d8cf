CREATE OR REPLACE MACRO members(sweep) AS TABLE
SELECT run_id FROM sweep_runs WHERE sweep_id = sweep
UNION ALL
SELECT run_id FROM runs WHERE sweep IS NULL;
COMMENT ON MACRO TABLE members IS 'The runs that a sweep names, trained by it or before: members(''<sweep id>''); all runs for NULL.';

CREATE OR REPLACE VIEW outcomes AS
SELECT
    run_id,
    CASE split WHEN 'val' THEN concat('val_', name) ELSE name END AS metric,
    mode,
    at_best AS value
FROM run_metrics ANTI JOIN deleted USING (run_id)
UNION ALL
SELECT e.run_id, concat(e.split, '_', e.name), m.mode, e.value
FROM evaluations AS e
ANTI JOIN deleted AS d ON d.run_id = e.run_id
LEFT JOIN run_metrics AS m ON m.run_id = e.run_id AND m.name = e.name AND m.split = 'train'
WHERE e.split = 'test' AND e.judgement_id IS NULL AND NOT contains(e.name, '[');
COMMENT ON VIEW outcomes IS 'What runs came to, a row for each metric: those of training at the epoch whose weights were kept, and the test split''s; deleted runs are left out.';
COMMENT ON COLUMN outcomes.run_id IS 'The run.';
COMMENT ON COLUMN outcomes.metric IS 'The metric with its split in front, as `runs.monitor` has it: loss, val_loss, val_accuracy, test_accuracy.';
COMMENT ON COLUMN outcomes.mode IS 'min or max: which end is better; empty where the run does not say.';
COMMENT ON COLUMN outcomes.value IS 'Its value at the best epoch, or of the kept weights.';

CREATE OR REPLACE VIEW overfitting AS
SELECT
    v.run_id,
    v.name AS metric,
    r.best_epoch,
    r.epochs - r.best_epoch AS epochs_after,
    t.at_best AS train_at_best,
    v.at_best AS val_at_best,
    CASE v.mode WHEN 'max' THEN t.at_best - v.at_best ELSE v.at_best - t.at_best END AS gap_at_best,
    t.last AS train_last,
    v.last AS val_last,
    CASE v.mode WHEN 'max' THEN t.last - v.last ELSE v.last - t.last END AS gap_last,
    CASE v.mode WHEN 'max' THEN v.at_best - v.last ELSE v.last - v.at_best END AS lost_after
FROM run_metrics AS v
JOIN runs AS r ON r.run_id = v.run_id
JOIN run_metrics AS t ON t.run_id = v.run_id AND t.name = v.name AND t.split = 'train'
ANTI JOIN deleted AS d ON d.run_id = v.run_id
WHERE v.split = 'val';
COMMENT ON VIEW overfitting IS 'How far validation is behind training, and what it lost after the best epoch: greater is worse, whichever way the metric goes; deleted runs are left out. Dropout and the like make training look worse than it is, so a gap may be negative.';
COMMENT ON COLUMN overfitting.run_id IS 'The run.';
COMMENT ON COLUMN overfitting.metric IS 'The metric, or loss.';
COMMENT ON COLUMN overfitting.best_epoch IS 'The best epoch of the run, by what it monitors.';
COMMENT ON COLUMN overfitting.epochs_after IS 'How many epochs it trained after that.';
COMMENT ON COLUMN overfitting.train_at_best IS 'The training value at that epoch.';
COMMENT ON COLUMN overfitting.val_at_best IS 'The validation value at that epoch.';
COMMENT ON COLUMN overfitting.gap_at_best IS 'How much worse validation was than training then.';
COMMENT ON COLUMN overfitting.train_last IS 'The training value after the last epoch.';
COMMENT ON COLUMN overfitting.val_last IS 'The validation value after the last epoch.';
COMMENT ON COLUMN overfitting.gap_last IS 'How much worse validation was than training at the end.';
COMMENT ON COLUMN overfitting.lost_after IS 'How much validation got worse from the best epoch to the last.';

CREATE OR REPLACE MACRO time_to(metric, target) AS TABLE
WITH points AS (
    SELECT c.run_id, c.epoch, c.value, m.mode
    FROM curves AS c
    JOIN run_metrics AS m ON m.run_id = c.run_id AND m.split = c.split AND m.name = c.name
    WHERE
        c.split = CASE WHEN starts_with(metric, 'val_') THEN 'val' ELSE 'train' END
        AND c.name = CASE WHEN starts_with(metric, 'val_') THEN substr(metric, 5) ELSE metric END
),

reached AS (
    SELECT
        run_id,
        min(epoch) FILTER (
            NOT isnan(value) AND CASE mode WHEN 'max' THEN value >= target ELSE value <= target END
        ) AS epoch
    FROM points
    GROUP BY run_id
)

SELECT
    r.run_id,
    r.epoch IS NOT NULL AS reached,
    r.epoch,
    any_value(p.value) AS value,
    sum(e.seconds) AS seconds
FROM reached AS r
LEFT JOIN epochs AS e ON e.run_id = r.run_id AND e.epoch <= r.epoch
LEFT JOIN points AS p ON p.run_id = r.run_id AND p.epoch = r.epoch
GROUP BY r.run_id, r.epoch
ORDER BY reached DESC, seconds, r.epoch, r.run_id;
COMMENT ON MACRO TABLE time_to IS 'When runs first reached a target: time_to(''val_accuracy'', 0.95). The metric is written as in `outcomes`, without test; at least the target where more is better, else at most. A row for each run that records the metric: run_id, reached, epoch, value, seconds (of training, up to and with that epoch). A run that never reached it has reached = false and no epoch: leave it out of no average unseen.';

CREATE OR REPLACE MACRO best_so_far(sweep) AS TABLE
SELECT
    row_number() OVER run AS run,
    run_id,
    coalesce(ended_at, started_at) AS moment,
    best,
    CASE mode
        WHEN 'max' THEN max(best) FILTER (NOT isnan(best)) OVER run
        ELSE min(best) FILTER (NOT isnan(best)) OVER run
    END AS best_so_far
FROM (
    SELECT l.*, r.ended_at
    FROM leaderboard AS l
    JOIN runs AS r ON r.run_id = l.run_id
    WHERE l.run_id IN (SELECT run_id FROM members(sweep))
)
WINDOW run AS (
    PARTITION BY monitor ORDER BY coalesce(ended_at, started_at), run_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
ORDER BY run;
COMMENT ON MACRO TABLE best_so_far IS 'A sweep''s runs in the order in which they ended, and the best value of the monitor up to each: best_so_far(''<sweep id>''), or NULL for all runs. Columns: run (counted from 1), run_id, moment, best, best_so_far.';

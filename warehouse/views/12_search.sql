-- P. J. Acklam's rational approximation; relative error below 1.2e-9.
CREATE OR REPLACE MACRO normal_tail(q) AS
(((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783)
/ ((((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1);
COMMENT ON MACRO normal_tail IS 'Part of `normal_quantile`: its lower tail, of q = sqrt(-2 ln p).';

CREATE OR REPLACE MACRO normal_middle(q, r) AS
(((((-3.969683028665376e+01 * r + 2.209460984245205e+02) * r - 2.759285104469687e+02) * r + 1.383577518672690e+02) * r - 3.066479806614716e+01) * r + 2.506628277459239) * q
/ (((((-5.447609879822406e+01 * r + 1.615858368580409e+02) * r - 1.556989798598866e+02) * r + 6.680131188771972e+01) * r - 1.328068155288572e+01) * r + 1);
COMMENT ON MACRO normal_middle IS 'Part of `normal_quantile`: what lies between its tails, of q = p - 0.5 and r = q ** 2.';

CREATE OR REPLACE MACRO normal_quantile(p) AS CASE
    WHEN p <= 0 OR p >= 1 THEN NULL
    WHEN p < 0.02425 THEN normal_tail(sqrt(-2 * ln(p)))
    WHEN p > 0.97575 THEN -normal_tail(sqrt(-2 * ln(1 - p)))
    ELSE normal_middle(p - 0.5, (p - 0.5) ** 2)
END;
COMMENT ON MACRO normal_quantile IS 'The place in the standard normal distribution below which the share p lies: normal_quantile(0.975) is 1.96; empty unless 0 < p < 1.';

CREATE OR REPLACE VIEW run_values AS
SELECT run_id, metric, mode, value FROM outcomes
UNION ALL
SELECT
    e.run_id,
    concat(e.split, '_', e.name),
    CASE
        WHEN regexp_matches(e.name, 'accuracy|auc|precision|recall|f1|f_?score|r2|iou|dice|bleu|cosine_similarity|explained|mean_reward')
            THEN 'max'
        ELSE 'min'
    END,
    e.value
FROM evaluations AS e
ANTI JOIN deleted AS d ON d.run_id = e.run_id
ANTI JOIN run_metrics AS m ON m.run_id = e.run_id AND m.split = e.split AND m.name = e.name
WHERE e.split IN ('train', 'val') AND e.judgement_id IS NULL AND NOT contains(e.name, '[')
UNION ALL
SELECT run_id, 'parameters', 'min', sum(parameters)::DOUBLE
FROM layers ANTI JOIN deleted USING (run_id)
GROUP BY run_id
UNION ALL
SELECT run_id, 'seconds', 'min', seconds
FROM runs ANTI JOIN deleted USING (run_id);
COMMENT ON VIEW run_values IS 'Whatever a search may better or bound, a row for each run and metric: `outcomes`, the evaluations of val beyond them, parameters and seconds; deleted runs are left out.';
COMMENT ON COLUMN run_values.run_id IS 'The run.';
COMMENT ON COLUMN run_values.metric IS 'As in `outcomes`; val_f1_macro and the like; parameters of the model; seconds of training.';
COMMENT ON COLUMN run_values.mode IS 'min or max: which end is better; of a test metric that training does not know it is empty.';
COMMENT ON COLUMN run_values.value IS 'Its value.';

CREATE OR REPLACE VIEW search_runs AS
SELECT s.search_id, t.sweep_id, t.run_id, t.job
FROM (SELECT DISTINCT search_id, sweep_id FROM searches) AS s
JOIN sweep_runs AS t ON t.sweep_id = s.sweep_id
-- A run that one command of a search trained and another skipped is one run.
QUALIFY row_number() OVER (PARTITION BY s.search_id, t.run_id, t.job ORDER BY t.trained DESC, t.sweep_id) = 1;
COMMENT ON VIEW search_runs IS 'The runs of searches, whichever of its commands trained them, confirmations among them; deleted runs are left out.';
COMMENT ON COLUMN search_runs.search_id IS 'The search.';
COMMENT ON COLUMN search_runs.sweep_id IS 'The sweep that names it.';
COMMENT ON COLUMN search_runs.run_id IS 'The run.';
COMMENT ON COLUMN search_runs.job IS 'The overrides of the job.';

CREATE OR REPLACE VIEW trials AS
WITH run_of AS (
    SELECT s.search_id, s.job, r.run_id, r.status, r.reason, r.error, r.monitor
    FROM search_runs AS s
    JOIN runs AS r ON r.run_id = s.run_id
    QUALIFY row_number() OVER (
        PARTITION BY s.search_id, s.job
        ORDER BY
            list_position(['finished', 'stopped', 'failed', 'running', 'lost'], r.status), r.run_id
    ) = 1
),

rated AS (
    SELECT
        t.*,
        r.run_id,
        r.status,
        r.reason,
        r.error,
        coalesce(b.metric, r.monitor) AS metric,
        v.value,
        v.mode,
        CASE
            WHEN r.status NOT IN ('finished', 'failed') AND coalesce(r.reason, '') NOT IN ('pruned', 'own_max_seconds') THEN NULL
            WHEN r.status = 'failed' OR v.value IS NULL OR NOT isfinite(v.value) THEN 'Infinity'::DOUBLE
            WHEN v.mode = 'max' THEN -v.value
            ELSE v.value
        END AS loss
    FROM (
        FROM suggestions
        -- One that was taken up again with other words, such as another device.
        QUALIFY row_number() OVER (
            PARTITION BY search_id, number ORDER BY suggested_at DESC, entry_id DESC
        ) = 1
    ) AS t
    LEFT JOIN (
        SELECT search_id, any_value(objectives)[1] AS metric FROM searches GROUP BY search_id
    ) AS b ON b.search_id = t.search_id
    LEFT JOIN run_of AS r ON r.search_id = t.search_id AND r.job = t.job
    LEFT JOIN run_values AS v ON v.run_id = r.run_id AND v.metric = coalesce(b.metric, r.monitor)
),

placed AS (
    SELECT
        a.search_id,
        a.number,
        normal_quantile(
            (count(*) FILTER (b.loss < a.loss) + count(*) FILTER (b.loss = a.loss) / 2 + 0.5) / (count(*) + 1)
        ) AS came
    FROM rated AS a
    JOIN rated AS b ON b.search_id = a.search_id AND b.batch < a.batch AND b.loss IS NOT NULL
    WHERE a.loss IS NOT NULL
    GROUP BY a.search_id, a.number, a.loss
)

SELECT
    t.search_id,
    t.number,
    t.batch,
    t.run_id,
    t.status,
    t.reason,
    t.metric,
    t.value,
    CASE max(t.mode) OVER whole
        WHEN 'max' THEN -min(t.loss) FILTER (isfinite(t.loss)) OVER past
        ELSE min(t.loss) FILTER (isfinite(t.loss)) OVER past
    END AS best_so_far,
    t.sampler,
    t.slot,
    t.mean,
    t.deviation,
    p.came,
    p.came - t.mean AS missed_by,
    t.prior,
    t.evidence,
    t.params,
    t.job,
    t.error
FROM rated AS t
LEFT JOIN placed AS p ON p.search_id = t.search_id AND p.number = t.number
WINDOW
    whole AS (PARTITION BY t.search_id),
    past AS (
        PARTITION BY t.search_id ORDER BY t.number
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    );
COMMENT ON VIEW trials IS 'What searches tried and what came of it, a row for each suggestion: why it was tried, its run, and how well that was foretold. Of several objectives, by the first.';
COMMENT ON COLUMN trials.search_id IS 'The search.';
COMMENT ON COLUMN trials.number IS 'The trial, counted from 1.';
COMMENT ON COLUMN trials.batch IS 'The batch in which it was asked for.';
COMMENT ON COLUMN trials.run_id IS 'Its run; empty where none began. Of several, one that finished.';
COMMENT ON COLUMN trials.status IS 'The run''s.';
COMMENT ON COLUMN trials.reason IS 'Of a stopped run, who stopped it: a pruned one counts by its best epoch, the others are to be trained anew.';
COMMENT ON COLUMN trials.metric IS 'What the search betters.';
COMMENT ON COLUMN trials.value IS 'What the run came to.';
COMMENT ON COLUMN trials.best_so_far IS 'The best value up to this trial.';
COMMENT ON COLUMN trials.sampler IS 'Who suggested it.';
COMMENT ON COLUMN trials.slot IS 'Which part of the sampler.';
COMMENT ON COLUMN trials.mean IS 'What the sampler expected: a Gaussian quantile; 0 is the middle, less is better.';
COMMENT ON COLUMN trials.deviation IS 'How surely.';
COMMENT ON COLUMN trials.came IS 'What came, in the same terms: its quantile among the trials of earlier batches and itself; a run that failed is the worst of them.';
COMMENT ON COLUMN trials.missed_by IS 'What came less what was expected: above 0 it was worse than expected.';
COMMENT ON COLUMN trials.prior IS 'The share that other tasks had in choosing it, from 0 to 1.';
COMMENT ON COLUMN trials.evidence IS 'How much better the trials so far were foretold with other tasks than without.';
COMMENT ON COLUMN trials.params IS 'The configuration as JSON text.';
COMMENT ON COLUMN trials.job IS 'The overrides of its job.';
COMMENT ON COLUMN trials.error IS 'Why the run failed or was stopped.';

CREATE OR REPLACE VIEW confirmed AS
WITH of_config AS (
    SELECT
        t.search_id,
        min(t.number) AS number,
        r.config_hash,
        any_value(t.metric) AS metric
    FROM trials AS t
    JOIN runs AS r ON r.run_id = t.run_id
    GROUP BY t.search_id, r.config_hash
),

tried AS (
    SELECT
        c.*,
        r.seed,
        o.job IS NULL AS is_more,
        v.mode,
        CASE WHEN isfinite(v.value) AND r.status IN ('finished', 'stopped') THEN v.value END AS value
    FROM of_config AS c
    JOIN search_runs AS s ON s.search_id = c.search_id
    JOIN runs AS r ON r.run_id = s.run_id AND r.config_hash = c.config_hash
    LEFT JOIN (SELECT DISTINCT search_id, job FROM suggestions) AS o
        ON o.search_id = s.search_id AND o.job = s.job
    LEFT JOIN run_values AS v ON v.run_id = r.run_id AND v.metric = c.metric
    QUALIFY row_number() OVER (
        PARTITION BY c.search_id, c.config_hash, r.seed ORDER BY v.value IS NOT NULL DESC, r.run_id DESC
    ) = 1
),

summed AS (
    SELECT
        search_id,
        number,
        config_hash,
        metric,
        max(mode) AS mode,
        count(*) AS seeds,
        count(value) AS usable,
        avg(value) AS mean,
        CASE WHEN count(value) > 1 AND max(abs(value)) < 1e150 THEN stddev_samp(CASE WHEN abs(value) < 1e150 THEN value END) END AS deviation,
        min(value) AS min,
        max(value) AS max
    FROM tried
    GROUP BY search_id, number, config_hash, metric
    -- Where the seed is varied too, trials may be of one configuration.
    HAVING count(*) > 1 AND bool_or(is_more)
)

SELECT
    search_id,
    rank() OVER (
        PARTITION BY search_id
        -- One that came to nothing under a seed is no winner, however good under the others.
        ORDER BY usable < seeds, CASE mode WHEN 'max' THEN -mean ELSE mean END NULLS LAST, number
    ) AS place,
    number,
    metric,
    seeds,
    usable,
    mean,
    deviation,
    mean - t_95(usable - 1) * deviation / sqrt(usable) AS low,
    mean + t_95(usable - 1) * deviation / sqrt(usable) AS high,
    min,
    max,
    config_hash
FROM summed
ORDER BY search_id, place;
COMMENT ON VIEW confirmed IS 'The configurations that searches trained with more seeds at their end, the best mean first.';
COMMENT ON COLUMN confirmed.search_id IS 'The search.';
COMMENT ON COLUMN confirmed.place IS 'By the mean; one that failed under a seed comes after the others.';
COMMENT ON COLUMN confirmed.number IS 'The first trial of the configuration.';
COMMENT ON COLUMN confirmed.metric IS 'What the search betters.';
COMMENT ON COLUMN confirmed.seeds IS 'How many seeds it was trained with, the trial''s own among them.';
COMMENT ON COLUMN confirmed.usable IS 'How many of them came to a finite value.';
COMMENT ON COLUMN confirmed.mean IS 'The mean over those.';
COMMENT ON COLUMN confirmed.deviation IS 'Their standard deviation (n - 1).';
COMMENT ON COLUMN confirmed.low IS 'The lower end of the 95 % confidence interval of the mean. The trial''s own seed was chosen for its luck: of the others alone the mean is a little worse.';
COMMENT ON COLUMN confirmed.high IS 'The upper end.';
COMMENT ON COLUMN confirmed.min IS 'The least value.';
COMMENT ON COLUMN confirmed.max IS 'The greatest value.';
COMMENT ON COLUMN confirmed.config_hash IS 'The configuration, as `runs` has it.';

-- Exact to nine digits up to 30 degrees of freedom; beyond, the first terms of Cornish and Fisher's
-- expansion in the normal quantile 1.959963985 (Abramowitz and Stegun 26.7.5), to 1e-6.
CREATE OR REPLACE MACRO t_95(freedom) AS CASE
    WHEN freedom < 1 THEN NULL
    WHEN freedom <= 30 THEN [
        12.706204736, 4.30265273, 3.182446305, 2.776445105, 2.570581836, 2.446911851,
        2.364624252, 2.306004135, 2.262157163, 2.228138852, 2.20098516, 2.17881283,
        2.160368656, 2.144786688, 2.131449546, 2.119905299, 2.109815578, 2.10092204,
        2.093024054, 2.085963447, 2.079613845, 2.073873068, 2.06865761, 2.063898562,
        2.059538553, 2.055529439, 2.051830516, 2.048407142, 2.045229642, 2.042272456
    ][freedom::BIGINT]::DOUBLE
    ELSE 1.959963985 + 2.372271236 / freedom + 2.822498676 / freedom ** 2
        + 2.555852271 / freedom ** 3 + 1.589536466 / freedom ** 4
END;
COMMENT ON MACRO t_95 IS 'How many standard errors a 95 % confidence interval of a mean reaches to either side, by Student''s t: t_95(degrees of freedom), a number less than the count.';

CREATE OR REPLACE MACRO seeds(sweep := NULL, metric := NULL) AS TABLE
WITH chosen AS (
    SELECT
        r.run_id,
        r.config_hash,
        r.experiment,
        r.seed,
        r.status,
        coalesce(metric, r.monitor) AS asked,
        o.mode,
        CASE WHEN isfinite(o.value) AND r.status NOT IN ('running', 'failed', 'lost') THEN o.value END AS value
    FROM runs AS r
    ANTI JOIN deleted AS d ON d.run_id = r.run_id
    LEFT JOIN outcomes AS o ON o.run_id = r.run_id AND o.metric = coalesce(metric, r.monitor)
    WHERE r.config_hash IS NOT NULL AND r.replay_of IS NULL AND r.run_id IN (SELECT run_id FROM members(sweep))
),

-- A seed that was trained twice (a retry, another engine) counts once: its newest run.
once AS (
    SELECT *
    FROM chosen
    QUALIFY row_number() OVER (
        PARTITION BY config_hash, asked, seed ORDER BY value IS NOT NULL DESC, run_id DESC
    ) = 1
),

summed AS (
    SELECT
        config_hash,
        any_value(experiment) AS experiment,
        asked,
        any_value(mode) AS mode,
        count(*) AS seeds,
        count(value) AS usable,
        avg(value) AS mean,
        CASE WHEN count(value) > 1 AND max(abs(value)) < 1e150 THEN stddev_samp(CASE WHEN abs(value) < 1e150 THEN value END) END AS deviation,
        min(value) AS min,
        max(value) AS max,
        list(seed ORDER BY seed) AS seed_list,
        arg_min(run_id, CASE mode WHEN 'max' THEN -value ELSE value END) AS best_run
    FROM once
    GROUP BY config_hash, asked
)

SELECT
    s.config_hash,
    s.experiment,
    s.asked AS metric,
    s.seeds,
    s.usable,
    s.mean,
    s.deviation,
    s.mean - t_95(s.usable - 1) * s.deviation / sqrt(s.usable) AS low,
    s.mean + t_95(s.usable - 1) * s.deviation / sqrt(s.usable) AS high,
    s.min,
    s.max,
    s.best_run,
    s.seed_list,
    r.overrides
FROM summed AS s
LEFT JOIN runs AS r ON r.run_id = s.best_run
ORDER BY s.asked, CASE s.mode WHEN 'max' THEN -s.mean ELSE s.mean END NULLS LAST, s.config_hash;
COMMENT ON MACRO TABLE seeds IS 'Runs of one configuration, whatever their seed, in one row, the best mean first: FROM seeds(), seeds(sweep := ''<sweep id>''), seeds(metric := ''test_accuracy'') with a metric as in `outcomes`; without one, what the runs monitor. The view of the same name describes the columns.';

CREATE OR REPLACE VIEW seeds AS FROM seeds();
COMMENT ON VIEW seeds IS 'Configurations over their seeds, by what they monitor, the best mean first; the macro `seeds` takes a sweep or another metric. Replays and deleted runs are left out; a run that a pruner stopped counts with the epochs that it was given.';
COMMENT ON COLUMN seeds.config_hash IS 'The configuration, as `runs` has it.';
COMMENT ON COLUMN seeds.experiment IS 'Its preset.';
COMMENT ON COLUMN seeds.metric IS 'The metric, as in `outcomes`.';
COMMENT ON COLUMN seeds.seeds IS 'How many seeds were tried; of runs with the same seed the newest counts.';
COMMENT ON COLUMN seeds.usable IS 'How many of them came to a finite value; those that failed, were lost or still run have none here.';
COMMENT ON COLUMN seeds.mean IS 'The mean over those.';
COMMENT ON COLUMN seeds.deviation IS 'Their standard deviation (n - 1); empty for fewer than two.';
COMMENT ON COLUMN seeds.low IS 'The lower end of the 95 % confidence interval of the mean, by Student''s t.';
COMMENT ON COLUMN seeds.high IS 'The upper end.';
COMMENT ON COLUMN seeds.min IS 'The least value.';
COMMENT ON COLUMN seeds.max IS 'The greatest value.';
COMMENT ON COLUMN seeds.best_run IS 'The run with the best value.';
COMMENT ON COLUMN seeds.seed_list IS 'The seeds.';
COMMENT ON COLUMN seeds.overrides IS 'The overrides of that run''s command line.';

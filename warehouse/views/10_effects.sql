CREATE OR REPLACE MACRO param_levels(run_ids) AS TABLE
WITH judged AS (
    SELECT
        run_id,
        monitor,
        mode,
        best AS value,
        -- The mean rank where values are equal.
        rank() OVER (PARTITION BY monitor ORDER BY best)
        + (count(*) OVER (PARTITION BY monitor, best) - 1) / 2 AS place
    FROM leaderboard
    WHERE
        run_id IN (SELECT unnest(run_ids))
        AND status IN ('finished', 'stopped')
        AND abs(best) < 1e150
),

varied AS (
    SELECT
        j.*,
        p.name AS param,
        p.value AS text,
        p.number,
        count(*) OVER whole AS runs,
        count(DISTINCT p.value) OVER whole AS distinct_values,
        count(p.number) OVER whole = count(*) OVER whole AS is_number,
        rank() OVER (PARTITION BY j.monitor, p.name ORDER BY p.number) - 1 AS before
    FROM judged AS j
    JOIN params AS p ON p.run_id = j.run_id
    WHERE p.name NOT IN ('results', 'device', 'engine')
    WINDOW whole AS (PARTITION BY j.monitor, p.name)
),

levelled AS (
    SELECT
        *,
        is_number AND distinct_values > 8 AS binned,
        CASE
            WHEN is_number AND distinct_values > 8
                THEN (before * least(8, greatest(2, runs // 5))) // runs
        END AS bin
    FROM varied
    WHERE distinct_values > 1
)

SELECT
    monitor,
    any_value(mode) AS mode,
    param,
    binned,
    CASE
        WHEN NOT binned THEN any_value(text)
        WHEN min(number) = max(number) THEN min(number)::VARCHAR
        ELSE concat(min(number), ' to ', max(number))
    END AS level,
    count(*) AS runs,
    avg(value) AS mean,
    CASE WHEN count(*) > 1 THEN stddev_samp(value) END AS deviation,
    min(value) AS min,
    max(value) AS max,
    avg(place) AS mean_rank,
    var_pop(value) AS variance,
    var_pop(place) AS rank_variance,
    min(number) AS number
FROM levelled
GROUP BY monitor, param, binned, bin, CASE WHEN NOT binned THEN text END
ORDER BY monitor, param, min(number) NULLS LAST, level;
COMMENT ON MACRO TABLE param_levels IS 'How runs, given by their full ids, did by each value of each param that varies between them: param_levels([''...'', ''...'']). Columns: monitor, mode, param, binned, level (the value as text; of a number with more than eight values, a bin of about equally many runs, from two to eight bins of five runs or more), runs, mean, deviation, min, max, mean_rank (1 is the least value), variance and rank_variance within the level, number (the level''s least). Only finished and stopped runs with a finite value; one that a pruner stopped counts with the best of the epochs that it was given, since to leave out the worst would hide what made them so.';

CREATE OR REPLACE MACRO param_effects(run_ids) AS TABLE
WITH levels AS (
    FROM param_levels(run_ids)
),

whole AS (
    SELECT
        monitor,
        param,
        sum(runs * mean) / sum(runs) AS mean,
        sum(runs * mean_rank) / sum(runs) AS mean_rank
    FROM levels
    GROUP BY monitor, param
),

squares AS (
    SELECT
        l.monitor,
        l.param,
        bool_or(l.binned) AS binned,
        count(*) AS levels,
        sum(l.runs) AS runs,
        min(l.runs) AS fewest,
        sum(l.runs * (l.mean - w.mean) ** 2) AS between_levels,
        sum(l.runs * l.variance) AS within_levels,
        sum(l.runs * (l.mean_rank - w.mean_rank) ** 2) AS rank_between,
        sum(l.runs * l.rank_variance) AS rank_within,
        arg_min(l.level, CASE l.mode WHEN 'max' THEN -l.mean ELSE l.mean END) AS best_level,
        CASE any_value(l.mode) WHEN 'max' THEN max(l.mean) ELSE min(l.mean) END AS best_mean
    FROM levels AS l
    JOIN whole AS w ON w.monitor = l.monitor AND w.param = l.param
    GROUP BY l.monitor, l.param
),

shared AS (
    SELECT
        *,
        between_levels / nullif(between_levels + within_levels, 0) AS share,
        rank_between / nullif(rank_between + rank_within, 0) AS rank_share
    FROM squares
)

SELECT
    monitor,
    param,
    CASE WHEN runs > levels THEN greatest(0, 1 - (1 - share) * (runs - 1) / (runs - levels)) END AS effect,
    share,
    rank_share,
    (levels - 1) / (runs - 1) AS share_by_chance,
    levels,
    binned,
    runs::BIGINT AS runs,
    fewest,
    best_level,
    best_mean
FROM shared
WHERE levels > 1
ORDER BY monitor, effect DESC NULLS LAST, share DESC, param;
COMMENT ON MACRO TABLE param_effects IS 'For every param that varies between runs, given by their full ids, the share of the variance of what the runs monitor that it explains alone: param_effects([''...'', ''...'']). The method is one-way analysis of variance of main effects, an additive fallback: params that vary together each get the credit of both, interactions are nobody''s, and shares need not add up to 1. Columns: monitor, param, effect (the share less what as many levels explain by chance: adjusted, from 0 to 1; empty where each run has a level of its own), share (eta squared, between levels over all), rank_share (the same of the ranks, which a few diverged runs do not rule), share_by_chance (what noise alone would give), levels, binned (a number with more than eight values goes into bins of about equally many runs), runs (that have the param), fewest (runs in the smallest level: with one or two, read nothing into it), best_level, best_mean. Runs that failed, are lost or still run, and values that are not finite, are left out.';

CREATE OR REPLACE MACRO sweep_levels(sweep) AS TABLE
FROM param_levels((SELECT list(run_id) FROM members(sweep)));
COMMENT ON MACRO TABLE sweep_levels IS 'How the runs of a sweep did by each value of each param that varies in it: sweep_levels(''<sweep id>''), or NULL for all runs. As `param_levels`.';

CREATE OR REPLACE MACRO sweep_effects(sweep) AS TABLE
FROM param_effects((SELECT list(run_id) FROM members(sweep)));
COMMENT ON MACRO TABLE sweep_effects IS 'What mattered in a sweep: the share of the variance of what its runs monitor that each param explains alone: sweep_effects(''<sweep id>''), or NULL for all runs. An additive fallback with counts beside it: columns, method and what not to read into it stand at `param_effects`.';

CREATE OR REPLACE MACRO compare_runs(run_ids) AS TABLE
WITH asked AS (
    SELECT unnest(run_ids) AS run_id, unnest(range(1, len(run_ids) + 1)) AS place
),

facts AS (
    SELECT run_id, 1 AS chapter, 'param' AS kind, name, value FROM params SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 2, 'component', kind, concat(name, ' (', distribution, ' ', version, ')')
    FROM components SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 2.5, 'source', concat(kind, ' ', name), substr(source, 1, 8)
    FROM components SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 3, 'data', 'identity', json_extract_string(data, '$.identity') FROM runs
    SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 4, 'code', 'git commit', concat(git_commit, CASE WHEN git_dirty THEN ' and changes' END)
    FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 5, 'version', unnest(map_keys(versions)), unnest(map_values(versions)) FROM runs
    SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 6, 'place', 'host', host FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 6, 'place', 'engine', engine FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 7, 'outcome', 'status', status FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 7, 'outcome', 'epochs', epochs::VARCHAR FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 7, 'outcome', 'best epoch', best_epoch::VARCHAR FROM runs SEMI JOIN asked USING (run_id)
    UNION ALL
    SELECT run_id, 7, 'outcome', metric, value::VARCHAR FROM outcomes SEMI JOIN asked USING (run_id)
),

one_value AS (
    SELECT run_id, chapter, kind, name, string_agg(value, ', ' ORDER BY value) AS value
    FROM facts
    GROUP BY run_id, chapter, kind, name
),

whole AS (
    SELECT n.chapter, n.kind, n.name, a.place, v.value
    FROM (SELECT DISTINCT chapter, kind, name FROM one_value) AS n
    CROSS JOIN asked AS a
    LEFT JOIN one_value AS v
        ON v.run_id = a.run_id AND v.chapter = n.chapter AND v.kind = n.kind AND v.name = n.name
)

SELECT kind, name, list(value ORDER BY place) AS "values"
FROM whole
GROUP BY chapter, kind, name
HAVING count(DISTINCT value) + CASE kind WHEN 'source' THEN 0 ELSE max(value IS NULL)::BIGINT END > 1
ORDER BY chapter, name;
COMMENT ON MACRO TABLE compare_runs IS 'What differs between several runs, given by their full ids: compare_runs([''...'', ''...'']). Columns: kind (param, component, source, data, code, version, place, outcome), name, values (one for each run, in the order of the ids; empty where a run has none).';

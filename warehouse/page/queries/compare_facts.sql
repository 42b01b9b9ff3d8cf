-- What runs say of themselves, long: params, data, code, versions, then outcomes.
SELECT 1 AS place, 'param' AS kind, name, run_id, value
FROM params
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 2, 'data', 'data', run_id, data FROM runs WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 3, 'component', kind, run_id, string_agg(concat_ws(' ', name, distribution, version), ', ' ORDER BY name)
FROM components
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
GROUP BY kind, run_id
UNION ALL
SELECT 4, 'code', u.name, run_id, u.value
FROM runs, LATERAL (
    SELECT
        unnest(['git commit', 'git dirty', 'engine', 'device', 'host']) AS name,
        unnest([git_commit, git_dirty::VARCHAR, engine, device, host]) AS value
) AS u
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 5, 'version', v.entry.key, run_id, v.entry.value
FROM runs, LATERAL (SELECT unnest(map_entries(versions)) AS entry) AS v
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 6, 'outcome', u.name, run_id, u.value
FROM runs, LATERAL (
    SELECT
        unnest(['status', 'epochs', 'best epoch', 'seconds']) AS name,
        unnest([status, epochs::VARCHAR, best_epoch::VARCHAR, round(seconds, 1)::VARCHAR]) AS value
) AS u
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 6, 'outcome', concat('best ', split, ' ', name), run_id, CASE mode WHEN 'max' THEN max ELSE min END::VARCHAR
FROM run_metrics
WHERE run_id IN (SELECT unnest($runs::VARCHAR[]))
UNION ALL
SELECT 6, 'outcome', concat(split, ' ', name), run_id, value::VARCHAR
FROM evaluations
WHERE run_id IN (SELECT unnest($runs::VARCHAR[])) AND judgement_id IS NULL AND NOT contains(name, '[')
ORDER BY place, name;

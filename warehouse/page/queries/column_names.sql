-- What a column of the grid can show besides the facts of the run: kind, name, how many values.
SELECT 'param' AS kind, name, count(DISTINCT value) AS variety, count(*) AS runs
FROM params ANTI JOIN deleted USING (run_id)
GROUP BY name
UNION ALL
SELECT 'metric', concat(split, ' ', name), count(DISTINCT last), count(*)
FROM run_metrics ANTI JOIN deleted USING (run_id)
GROUP BY split, name
UNION ALL
SELECT 'evaluation', concat(split, ' ', name), count(DISTINCT value), count(*)
FROM evaluations ANTI JOIN deleted USING (run_id)
WHERE judgement_id IS NULL AND NOT contains(name, '[')
GROUP BY split, name
ORDER BY kind, name;

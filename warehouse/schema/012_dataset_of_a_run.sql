-- What a run learnt from: losses on other data are no rivals.

ALTER TABLE runs ADD COLUMN dataset VARCHAR;
COMMENT ON COLUMN runs.dataset IS 'What it learnt from: the dataset''s name, and in brackets which one it is where settings say so (path, source, query, label, target): csv(cars.csv, label=mpg). Runs are ranked within it.';
UPDATE runs SET dataset = d.dataset
FROM (
    SELECT
        c.run_id,
        any_value(c.name) || coalesce(
            '(' || string_agg(
                CASE WHEN p.name IN ('dataset.path', 'dataset.source') THEN p.value ELSE substr(p.name, 9) || '=' || p.value END,
                ', ' ORDER BY p.name NOT IN ('dataset.path', 'dataset.source'), p.name
            ) || ')',
            ''
        ) AS dataset
    FROM components AS c
    LEFT JOIN params AS p
        ON p.run_id = c.run_id
        AND p.value <> 'null'
        AND regexp_matches(p.name, '^dataset\.(path|source|query|which|labels?|targets?)(\.|$)')
    WHERE c.kind = 'dataset'
    GROUP BY c.run_id
) AS d
WHERE d.run_id = runs.run_id;

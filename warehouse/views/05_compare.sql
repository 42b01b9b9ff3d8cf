CREATE OR REPLACE MACRO compare(a, b) AS TABLE
WITH said AS (
    SELECT run_id, 1 AS place, 'param' AS what, name, value, number
    FROM params
    UNION ALL
    SELECT run_id, 2, 'component', kind, concat(name, ' (', distribution, ' ', version, ')'), NULL
    FROM components
    UNION ALL
    SELECT run_id, 3, 'source', concat(kind, ' ', name), substr(source, 1, 8), NULL
    FROM components
    UNION ALL
    SELECT run_id, 4, 'data', 'identity', json_extract_string(data, '$.identity'), NULL
    FROM runs
    UNION ALL
    SELECT run_id, 5, 'version', unnest(map_keys(versions)), unnest(map_values(versions)), NULL
    FROM runs
    UNION ALL
    SELECT run_id, 6, 'outcome', 'status', status, NULL
    FROM runs
    UNION ALL
    SELECT run_id, 6, 'outcome', 'epochs', epochs::VARCHAR, epochs
    FROM runs
    UNION ALL
    SELECT
        run_id,
        6,
        'outcome',
        concat('best ', split, ' ', name),
        CASE mode WHEN 'max' THEN max ELSE min END::VARCHAR,
        CASE mode WHEN 'max' THEN max ELSE min END
    FROM run_metrics
    UNION ALL
    SELECT run_id, 6, 'outcome', concat(split, ' ', name), value::VARCHAR, value
    FROM evaluations
    WHERE judgement_id IS NULL AND NOT contains(name, '[')
),

one AS (
    SELECT place, what, name, string_agg(value, ', ' ORDER BY value) AS value, any_value(number) AS number
    FROM said
    WHERE run_id = a
    GROUP BY place, what, name
),

other AS (
    SELECT place, what, name, string_agg(value, ', ' ORDER BY value) AS value, any_value(number) AS number
    FROM said
    WHERE run_id = b
    GROUP BY place, what, name
)

SELECT
    coalesce(one.what, other.what) AS what,
    coalesce(one.name, other.name) AS name,
    one.value AS value_a,
    other.value AS value_b,
    other.number - one.number AS difference
FROM one
FULL JOIN other ON one.what = other.what AND one.name = other.name
WHERE
    one.value IS DISTINCT FROM other.value
    -- Of a component that one of them does not have, it says nothing.
    AND (coalesce(one.what, other.what) <> 'source' OR (one.value IS NOT NULL AND other.value IS NOT NULL))
ORDER BY coalesce(one.place, other.place), coalesce(one.name, other.name);
COMMENT ON MACRO TABLE compare IS 'What differs between two runs, given by their full ids: params, components, what each component was made of (source), data and versions, then outcomes.';

-- The resolved config, beside that of another run.
SELECT
    coalesce(a.name, b.name) AS name,
    a.value AS value,
    b.value AS other,
    a.value IS DISTINCT FROM b.value AS differs
FROM (SELECT name, value FROM params WHERE run_id = $run) AS a
FULL JOIN (SELECT name, value FROM params WHERE run_id = $other) AS b ON b.name = a.name
ORDER BY ($other IS NOT NULL AND differs) DESC, name;

-- Views and macros of the warehouse that call what $1 matches.
SELECT view_name FROM duckdb_views() WHERE NOT internal AND regexp_matches(sql, $1)
UNION ALL
SELECT function_name
FROM duckdb_functions()
WHERE NOT internal AND regexp_matches(macro_definition, $1);

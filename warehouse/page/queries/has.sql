-- Whether there is a view, or a macro that gives a table, called $name.
SELECT view_name FROM duckdb_views()
WHERE NOT internal AND database_name = current_database() AND view_name = $name
UNION ALL
SELECT function_name FROM duckdb_functions() WHERE NOT internal AND function_name = $name
LIMIT 1;

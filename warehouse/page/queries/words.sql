-- What SQL can ask for: tables, views, macros and columns, with their comments.
SELECT word, kind, comment, owner
FROM (
    SELECT table_name AS word, 'table' AS kind, comment, '' AS owner
    FROM duckdb_tables()
    WHERE
        NOT internal AND table_name <> 'migrations'
        AND database_name = current_database() AND schema_name = 'main'
    UNION ALL
    SELECT view_name, 'view', comment, ''
    FROM duckdb_views()
    WHERE
        NOT internal AND view_name <> 'migrations'
        AND database_name = current_database() AND schema_name = 'main'
    UNION ALL
    SELECT DISTINCT function_name, 'macro', coalesce(comment, array_to_string(parameters, ', ')), ''
    FROM duckdb_functions()
    WHERE NOT internal
    UNION ALL
    SELECT column_name, 'column', comment, table_name
    FROM duckdb_columns()
    WHERE
        NOT internal AND table_name <> 'migrations'
        AND database_name = current_database() AND schema_name = 'main'
)
ORDER BY kind = 'column', kind, word, owner;

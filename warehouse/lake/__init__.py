"""One warehouse for a team: DuckLake, its catalog in PostgreSQL, its files in a folder or S3.

The lake holds plain tables, those of `warehouse/schema`, and nothing else; whoever has DuckDB with
its extension ducklake can read them. Views and macros are made on the reader's own machine, over
the lake's rows and those of journals that are not in it yet.
"""

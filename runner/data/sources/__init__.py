"""Rows of files and databases: one reader, for training and predicting.

A source by its name, opened read-only, a query over it; files by their very names, DuckDB's
readers, blocks of rows.
"""

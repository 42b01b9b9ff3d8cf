"""Rows of files and databases, for training and predicting.

Files by their very names, DuckDB's readers, blocks of rows.
"""

"""The process and its machine: signals, streams, terminal, temporary files, foreign databases.

May import: errors.
"""

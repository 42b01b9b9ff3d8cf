"""The process and its machine: signals, streams, terminal, usage, temporary files, foreign
databases.

May import: errors.
"""

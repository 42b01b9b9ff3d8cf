"""The process and its machine: signals, terminal, temporary files, foreign databases.

May import: errors.
"""

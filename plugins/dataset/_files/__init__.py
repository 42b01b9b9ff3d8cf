"""Shared by the datasets of files: paths, labels, parts, and blocks of what is too large."""

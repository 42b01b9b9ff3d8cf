"""Shared by the datasets of rows: columns as arrays, labels, profiles and streams of a query."""

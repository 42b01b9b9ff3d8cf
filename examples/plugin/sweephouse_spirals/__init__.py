"""Spirals for Sweephouse; the components are in this package's modules."""

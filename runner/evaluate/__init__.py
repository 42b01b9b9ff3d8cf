"""Metrics, confusion and curves from targets and outputs, by NumPy alone.

May import: data, components and below.
"""

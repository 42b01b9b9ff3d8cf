"""From targets and outputs to metrics, confusion and curves, by NumPy alone.

May import: data, components and below.
"""

"""Which runs to try next, and which to give up: spaces, histories, samplers and pruners.

It computes from what it is given; the sweep asks the warehouse for it. May import: config,
components and below.
"""

"""The config: every setting with its meaning, and how Hydra composes it.

Gives a `Config`: checked, resolved, with its fingerprint.
May import: components and below.
"""

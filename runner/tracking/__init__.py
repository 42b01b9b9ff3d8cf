"""Record any training: what a script does itself, in the journals that the runner writes.

May import: sweep and below.
"""

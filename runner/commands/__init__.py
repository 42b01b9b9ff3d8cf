"""The commands beside training: what one does with a run afterwards.

May import: everything.
"""

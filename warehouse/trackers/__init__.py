"""Other trackers: their runs as journals of ours, and our runs as files of theirs.

One file a tracker reads it and gives its runs as `foreign.Run`; `journal` makes the records of
them; what `to_...` is called writes.
"""

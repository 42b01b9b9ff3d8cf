"""Engine packed: runs of the same structure, stacked and trained as one program."""

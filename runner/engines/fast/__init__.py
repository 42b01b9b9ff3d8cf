"""Engine fast: an epoch as one program, shared by runs of the same structure."""

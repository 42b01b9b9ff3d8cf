"""The structure of a run and the numbers in it, on which fast and packed stand."""

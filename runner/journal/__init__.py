"""The journal of a run and the files beside it: all that the warehouse may know of the runner.

records.py (the events), file.py (the file), results.py (the folder), weights.py (the store).
May import: system and errors.
"""

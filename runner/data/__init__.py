"""From a dataset to what is trained on: loaded, checked, split, preprocessed.

`prepare.py` reads top to bottom; `sources/` reads files and databases.
May import: config, components, journal and below.
"""

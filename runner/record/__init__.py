"""The record of a run while it trains: events, files, and what a person sees.

`recorder.py` takes events and passes their records to the sinks; the files are `journal/`.
May import: model, evaluate, data and below.
"""

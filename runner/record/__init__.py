"""What is written of a run while it trains: events, files, and what a person sees.

`recorder.py` takes events; journals and weights are `journal/`.
May import: model, evaluate, data and below.
"""

"""A trained model behind HTTP, for `python -m runner serve` (extra `serve`)."""

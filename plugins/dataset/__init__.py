"""Built-in components of the kind dataset."""

"""Built-in components of the kind preprocessing."""

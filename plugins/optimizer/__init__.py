"""Built-in components of the kind optimizer."""

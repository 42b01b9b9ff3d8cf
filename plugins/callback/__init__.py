"""Built-in components of the kind callback."""

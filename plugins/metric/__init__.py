"""Built-in components of the kind metric."""

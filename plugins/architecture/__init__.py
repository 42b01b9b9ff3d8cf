"""Built-in components of the kind architecture."""

"""Built-in components of the kind loss."""

"""Built-in components of the kind regularizer."""

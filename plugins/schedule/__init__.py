"""Built-in components of the kind schedule."""

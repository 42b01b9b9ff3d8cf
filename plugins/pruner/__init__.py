"""Built-in components of the kind pruner."""

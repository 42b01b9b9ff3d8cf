"""Built-in components of the kind evaluator."""

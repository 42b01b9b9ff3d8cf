"""Built-in components of the kind sampler."""

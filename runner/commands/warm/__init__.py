"""A process that has TensorFlow imported, and commands that start in it."""

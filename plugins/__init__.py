"""Built-in components, by kind, one a file; they come in by the door that third parties use."""

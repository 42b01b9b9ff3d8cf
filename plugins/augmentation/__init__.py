"""Built-in components of the kind augmentation."""

"""Built-in components by kind, one a file; they come in by the door that third parties use.

Thin wrappers of what Keras or scikit-learn has stand in one file a kind, such as
`optimizer/keras_optimizers.py`. Modules and packages that begin with _ hold no components.
"""

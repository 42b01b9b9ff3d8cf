"""The compiled Keras model: built, augmented, and as tensors, layers and checkpoints.

May import: data, config, components, backend and below.
"""

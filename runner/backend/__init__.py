"""The one place that knows what Keras and TensorFlow do not promise.

One function a capability; where a private name is gone, `Unsupported` says so.
May import: journal, system and errors.
"""

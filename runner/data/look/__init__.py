"""A look at data before anything trains on them: what they hold, what is odd, what to type.

Nothing here loads TensorFlow.
"""

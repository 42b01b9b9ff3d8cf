"""The contract of every kind of component: ways to break it, each with its sentence."""

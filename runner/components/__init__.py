"""Components as their authors write them and as the runner finds them.

The door: types, decorators, the contract of every kind, signatures as params, the registry.
May import: errors and system.
"""

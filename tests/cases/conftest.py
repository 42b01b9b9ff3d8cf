"""Datasets, called as the runner calls them."""

from tests.plugins.conftest import make

__all__ = ["make"]

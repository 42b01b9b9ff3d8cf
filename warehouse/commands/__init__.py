"""The commands of `python -m warehouse`, one a file: `add` its words, `run` it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.errors import WarehouseError

if TYPE_CHECKING:
    Words = argparse._SubParsersAction[argparse.ArgumentParser]


def within(option: str, value: float, least: float, most: float) -> None:
    """Raise WarehouseError unless an option's number lies between the two."""
    if not least <= value <= most:  # said so that NaN does not
        raise WarehouseError(f"{option} {value} must lie between {least} and {most}")

"""`warm`: a process that has TensorFlow imported, and commands that start in it.

Every command of the runner comes by here on its way to `client.py`: nothing is imported for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from runner.commands import Words


def add(words: Words) -> None:
    """`warm`."""
    parser = words.add_parser(
        "warm",
        description="Keep a process that has TensorFlow imported: commands of this environment "
        "start in it.",
    )
    parser.add_argument(
        "--idle",
        type=_minutes,
        default=30.0,
        help="minutes without a command until it ends (default: 30)",
    )
    parser.add_argument("--stop", action="store_true", help="end it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start or end the process, and say so."""
    from runner.commands.warm import client
    from runner.system.terminal import say

    say(client.stop() if arguments.stop else client.start(arguments.idle))
    return 0


def _minutes(text: str) -> float:
    import argparse

    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes greater than 0")
    return minutes

"""The commands beside training, one a file: `add` its words, `run` it.

Each is imported when it is asked for, and all of them for `--help`: what takes long to import
stands inside its functions, or in a module beside it.

May import: everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    Words = argparse._SubParsersAction[argparse.ArgumentParser]


def add_run(parser: argparse.ArgumentParser) -> None:
    """The words that name a recorded run."""
    parser.add_argument("run_id", metavar="run", help="run id, whole or either end of it")
    parser.add_argument("--results", type=Path, help="the results folder (default: ./results)")

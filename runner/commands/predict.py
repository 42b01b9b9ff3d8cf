"""`predict`: new rows through a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words


def add(words: Words) -> None:
    """`predict RUN`."""
    parser = words.add_parser("predict", description="Write what a run's model says of new rows.")
    add_run(parser)
    parser.add_argument(
        "--source",
        required=True,
        help="a CSV, Parquet, JSON, npy or npz file, a DuckDB or SQLite file, or a database's URL",
    )
    parser.add_argument(
        "--to", type=Path, required=True, help="a .parquet, .csv, .json or .npz file"
    )
    parser.add_argument("--query", help="a SELECT over the source; a file is the table `source`")
    parser.add_argument("--columns", type=_names, default=[], help="the features: a,b,c")
    parser.add_argument("--keep", type=_names, default=[], help="columns to write beside: id,day")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the predictions, and say how many; 1 where rows have none."""
    from runner.commands.prediction import predict

    rows = predict(
        arguments.run_id,
        arguments.source,
        arguments.to,
        query=arguments.query,
        columns=arguments.columns,
        keep=arguments.keep,
        results=arguments.results,
    )
    say(f"wrote {rows - rows.lost} predictions to {arguments.to}")
    return 1 if rows.lost else 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

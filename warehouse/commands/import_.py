"""`import`: the runs of other trackers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from runner.system.terminal import complain, say
from warehouse.place import Place
from warehouse.trackers.importing import take_in

if TYPE_CHECKING:
    from warehouse.commands import Words
    from warehouse.trackers.foreign import Run


def add(words: Words) -> None:
    """`import mlflow|tensorboard|wandb|csv SOURCE`."""
    parser = words.add_parser(
        "import",
        help="take in the runs of other trackers",
        description="Take in the runs of MLflow, TensorBoard, W&B or a table: params, the history "
        "of every metric, tags, times, and where their files lie. What was imported before stays "
        "as it is, unless it has changed at its source.",
    )
    kinds = parser.add_subparsers(title="trackers", metavar="TRACKER", required=True)
    mlflow = kinds.add_parser(
        "mlflow", help="a file mlflow.db, a folder mlruns, or a tracking URI"
    )
    mlflow.add_argument("source", metavar="PATH|URI")
    tensorboard = kinds.add_parser("tensorboard", help="a folder of event files")
    tensorboard.add_argument("source", metavar="DIR")
    tensorboard.add_argument("--experiment", metavar="NAME", help="default: the folder's name")
    wandb = kinds.add_parser("wandb", help="a folder of offline runs of W&B")
    wandb.add_argument("source", metavar="DIR")
    csv = kinds.add_parser("csv", help="a table with a row a run, or a row an epoch")
    csv.add_argument("source", metavar="FILE")
    csv.add_argument("--params", nargs="+", metavar="COLUMN", default=[])
    csv.add_argument("--metrics", nargs="+", metavar="COLUMN", required=True)
    csv.add_argument(
        "--run", metavar="COLUMN", dest="of_run", help="which rows are of one run, and its name"
    )
    csv.add_argument("--epoch", metavar="COLUMN", help="the epoch of a row")
    csv.add_argument("--started", metavar="COLUMN", help="when the run started")
    csv.add_argument("--experiment", metavar="NAME", help="default: the file's name")
    for kind in (mlflow, tensorboard, wandb, csv):
        kind.add_argument("--results", metavar="DIR", default=argparse.SUPPRESS)
    mlflow.set_defaults(run=run, runs=_mlflow)
    tensorboard.set_defaults(run=run, runs=_tensorboard)
    wandb.set_defaults(run=run, runs=_wandb)
    csv.set_defaults(run=run, runs=_csv)


def run(arguments: argparse.Namespace) -> int:
    """Import and say what came of it."""
    place = Place.of(arguments.results)
    with arguments.runs(arguments) as runs:
        done = take_in(place, runs)
    say(done.sentence(arguments.source))
    if done.sync.reason:
        complain(done.sync.sentence())
    for problem in (*done.warnings, *done.sync.problems):
        complain(problem)
    return 1 if done.sync.reason or done.sync.problems else 0


def _mlflow(arguments: argparse.Namespace) -> AbstractContextManager[Iterable[Run]]:
    from warehouse.trackers.mlflow import runs_of

    return runs_of(arguments.source)


def _tensorboard(arguments: argparse.Namespace) -> AbstractContextManager[Iterable[Run]]:
    from warehouse.trackers.tensorboard import runs_of

    return runs_of(arguments.source, arguments.experiment)


def _wandb(arguments: argparse.Namespace) -> AbstractContextManager[Iterable[Run]]:
    from warehouse.trackers.wandb import runs_of

    return runs_of(arguments.source)


def _csv(arguments: argparse.Namespace) -> AbstractContextManager[Iterable[Run]]:
    from warehouse.trackers.csv_table import Columns, runs_of

    columns = Columns(
        arguments.params,
        arguments.metrics,
        arguments.of_run,
        arguments.epoch,
        arguments.started,
    )
    return runs_of(arguments.source, columns, arguments.experiment)

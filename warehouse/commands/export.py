"""`export`: runs for other trackers and other programs."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.paths import from_home
from runner.system.terminal import say
from warehouse.commands.selection import add_selection, selected
from warehouse.commands.target import refuse_kept
from warehouse.place import Place
from warehouse.snapshot import attach_newest, connect, copying
from warehouse.trackers import to_mlflow, to_tables, to_tensorboard
from warehouse.trackers.ours import all_runs, read_ours

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words


def add(words: Words) -> None:
    """`export mlflow|tensorboard|parquet|csv TARGET [RUN...]`."""
    parser = words.add_parser(
        "export",
        help="runs for other trackers and programs",
        description="Write chosen runs, or all that are not deleted, into a store of MLflow's, as "
        "TensorBoard's event files, or as Parquet or CSV, a file a table.",
    )
    kinds = parser.add_subparsers(title="forms", metavar="FORM", required=True)
    for name, what, metavar in (
        ("mlflow", "a store of MLflow's: a file .db, a folder or a tracking URI", "FILE|URI"),
        ("tensorboard", "a new folder of event files", "DIR"),
        ("parquet", "a new folder of Parquet files", "DIR"),
        ("csv", "a new folder of CSV files", "DIR"),
    ):
        kind = kinds.add_parser(name, help=what)
        kind.add_argument("target", metavar=metavar)
        add_selection(kind)
        kind.add_argument("--results", metavar="DIR", default=argparse.SUPPRESS)
        kind.set_defaults(run=run, form=name)


def run(arguments: argparse.Namespace) -> int:
    """Write them and say where they are."""
    place = Place.of(arguments.results)
    with connect(place.folder) as con:
        chosen = _chosen(con, arguments)
        if not chosen:
            raise WarehouseError(f"there is no run in {place.folder} to export")
        runs = (read_ours(con, place, run_id) for run_id in chosen)
        count = f"{len(chosen)} run{'' if len(chosen) == 1 else 's'}"
        if arguments.form == "mlflow":
            counts = to_mlflow.write(runs, arguments.target)
            before = f"; {counts['there']} there before" if counts["there"] else ""
            written = f"{counts['written']} run{'' if counts['written'] == 1 else 's'}"
            say(f"exported {written} to {arguments.target}{before}")
            return 0
        folder = _new_folder(arguments.target, place)
        try:
            if arguments.form == "tensorboard":
                for each in runs:
                    to_tensorboard.write(each, folder)
                said = f"look at it with `tensorboard --logdir {folder}`"
        except OSError as error:
            raise WarehouseError(f"{folder} cannot be written ({error.strerror})") from error
    if arguments.form != "tensorboard":
        with copying(place):
            attach = partial(attach_newest, place=place)
            rows = to_tables.write(attach, chosen, folder, arguments.form)
        said = ", ".join(f"{name}.{arguments.form} ({number})" for name, number in rows.items())
    say(f"exported {count} to {folder}: {said}")
    return 0


def _chosen(con: DuckDBPyConnection, arguments: argparse.Namespace) -> list[str]:
    """The runs that the words choose; all, where they choose none."""
    ways = (arguments.sweep, arguments.query, arguments.best)
    if arguments.run_ids or any(way is not None for way in ways):
        return selected(con, arguments)
    return all_runs(con)


def _new_folder(text: str, place: Place) -> Path:
    """The folder, made if need be; WarehouseError where it holds anything or cannot be made."""
    folder = from_home(text).absolute()
    refuse_kept(folder, place)
    if os.path.lexists(folder) and not folder.is_dir():
        raise WarehouseError(f"{text} is a file; give a folder that is new or empty")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise WarehouseError(f"{text} is not empty: give a folder that is new or empty")
    except OSError as error:
        raise WarehouseError(f"{text} cannot be made ({error.strerror})") from error
    return folder

"""Runs of ours as other trackers know runs: one name and one step a value, and moments in time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.journal.weights import path_of
from warehouse.lookup import SHORT
from warehouse.place import Place
from warehouse.trackers.foreign import Point
from warehouse.trackers.mlflow import EXPORTED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAME = "name="
"""How the tag begins that an imported run's name is."""
LONGEST_NAME = 200


@dataclass(frozen=True)
class Ours:
    """A run to be exported; moments are seconds since 1970."""

    run_id: str
    experiment: str
    name: str
    """What it was called where it was imported from, else its overrides, else its short id."""
    status: str
    started: float
    ended: float | None
    params: Sequence[tuple[str, str, float | None]]
    tags: Sequence[str]
    note: str
    about: dict[str, str]
    """What else a tracker can show, under names that begin with `sweephouse.`."""
    points: Sequence[Point]
    """The history of every metric, and at the last step what was evaluated."""


def all_runs(con: DuckDBPyConnection) -> list[str]:
    """All runs that are not deleted, by when they started."""
    rows = con.execute("SELECT run_id FROM leaderboard ORDER BY started_at, run_id").fetchall()
    return [run_id for (run_id,) in rows]


def read_ours(con: DuckDBPyConnection, place: Place, run_id: str) -> Ours:
    """A run as other trackers know runs."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        return con.execute(query, [run_id]).fetchall()

    ((experiment, status, started, ended, error, overrides, config, *more),) = ask(
        "SELECT experiment, status, epoch(started_at), epoch(ended_at), error, overrides, config, "
        "imported_from, git_commit, dataset, monitor, journal_sha256 FROM runs WHERE run_id = ?"
    )
    imported_from, commit, dataset, monitor, journal = more
    tags = [tag for (tag,) in ask("SELECT tag FROM tags WHERE run_id = ? ORDER BY tag")]
    names = [tag.removeprefix(NAME) for tag in tags if tag.startswith(NAME)]
    files = {
        f"sweephouse.{kind}.{name}": str(path_of(place.folder, uri))
        for kind, name, uri in ask(
            "SELECT 'weights', role, uri FROM weights WHERE run_id = $1 UNION ALL "
            "SELECT 'artifact', coalesce(name, kind), uri FROM artifacts WHERE run_id = $1"
        )
    } | {
        f"sweephouse.file.{path}": address
        for path, address in ask("SELECT path, address FROM files_elsewhere WHERE run_id = ?")
    }
    about = {
        EXPORTED: run_id,
        "sweephouse.journal": journal,
        "sweephouse.monitor": monitor,
        "sweephouse.dataset": dataset,
        "sweephouse.git_commit": commit,
        "sweephouse.error": error,
        **files,
    }
    imported = json.loads(config or "{}") if imported_from is not None else {}
    return Ours(
        run_id=run_id,
        experiment=experiment or "sweephouse",
        name=(next(iter(names), "") or " ".join(overrides or []) or run_id[-SHORT:])[
            :LONGEST_NAME
        ],
        status=status,
        started=started or 0.0,
        ended=ended,
        params=ask("SELECT name, value, number FROM params WHERE run_id = ? ORDER BY name"),
        tags=[tag for tag in tags if not tag.startswith(NAME)],
        note="\n\n".join(
            note for (note,) in ask("SELECT note FROM notes WHERE run_id = ? ORDER BY noted_at")
        ),
        about={name: value for name, value in about.items() if value},
        points=list(_points(ask, started or 0.0, imported)),
    )


def _points(ask: Any, started: float, imported: dict[str, Any]) -> Iterator[Point]:
    """The points of a run by step; of an imported one, by its tracker's names and steps.

    imported: the config of an imported run, else nothing.
    """
    raw: dict[str, str] = imported.get("metric_names", {})
    shift = int(imported.get("first_step", 1)) - 1
    times: dict[int, float] = {
        epoch: started + (seconds or 0.0)
        for epoch, seconds in ask(
            "SELECT epoch, sum(coalesce(wall_seconds, seconds)) OVER (ORDER BY epoch) "
            "FROM epochs WHERE run_id = ?"
        )
    }
    yield from _inside(ask, times, raw, shift, is_imported=bool(imported))
    rows = ask(
        "SELECT epoch, 'train', 'loss', loss FROM epochs WHERE run_id = $1 UNION ALL "
        "SELECT epoch, 'val', 'loss', val_loss FROM epochs WHERE run_id = $1 UNION ALL "
        "SELECT epoch, 'train', 'learning_rate', learning_rate FROM epochs "
        "WHERE run_id = $1 AND NOT isnan(learning_rate) UNION ALL "
        "SELECT epoch, split, name, value FROM metrics WHERE run_id = $1 ORDER BY ALL"
    )
    last = 1
    for epoch, split, name, value in rows:
        last = max(last, epoch)
        # An epoch of another tracker's run need not have a training loss.
        may_have_none = imported and (split, name) == ("train", "loss")
        if value is None or (may_have_none and math.isnan(value)):
            continue
        shown = raw.get(f"{split}/{name}", name if split == "train" else f"{split}_{name}")
        yield Point(epoch + shift, shown, value, times.get(epoch, started))
    evaluated = ask(
        "SELECT split, name, value FROM evaluations WHERE run_id = ? AND judgement_id IS NULL "
        "AND value IS NOT NULL ORDER BY split, name"
    )
    for split, name, value in evaluated:
        plain = f"{split}_{name}" if split == "test" else f"kept_{split}_{name}"
        shown = raw.get(f"{split}/{name}", plain)
        yield Point(last + shift, shown, value, times.get(last, started))


def _inside(
    ask: Any, times: dict[int, float], raw: dict[str, str], shift: int, *, is_imported: bool
) -> Iterator[Point]:
    """The losses inside of epochs: `batch_loss` by all batches, or as the tracker had them."""
    rows = ask("SELECT epoch, step, loss FROM steps WHERE run_id = ? ORDER BY epoch, step")
    longest = max((step for _, step, _ in rows), default=0)
    ends = [0, *sorted(times)]
    for epoch, step, loss in rows:
        before = max(end for end in ends if end < epoch) if is_imported else (epoch - 1) * longest
        name = raw.get("train/loss", "loss") if is_imported else "batch_loss"
        yield Point(before + step + shift, name, loss, times.get(epoch))

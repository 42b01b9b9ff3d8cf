"""Sound runs that say all that a run can say, in a folder beside files of the user's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import warehouse
from runner.journal.ids import new_run_id
from runner.journal.lines import to_line
from runner.journal.records import (
    Care,
    Confusion,
    Dataset,
    Evaluation,
    EvaluationAdded,
    EvaluatorCall,
    FileElsewhere,
    Record,
    Replay,
    SearchBegun,
    SkippedRuns,
    Steps,
    Suggestions,
    SystemUsage,
)
from tests.warehouse.conftest import House, ending, records
from tests.warehouse.test_evaluation import outputs_and_layers
from warehouse.place import this_host

FIRST, SECOND, THIRD = (f"01900000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
GOOD = (FIRST, SECOND, THIRD)
BAD = "01900000-0000-7000-8000-0000000000ff"
OWN = (
    "notes.txt",
    "mine/model.h5",
    "warehouse.duckdb.bak",
    "journals/readme.md",
    "journals/archive/keep.txt",
    "journals/rejected/old.txt",
    "snapshots/mine/inner.txt",
    "weights/ab/mine.bin",
    "artifacts/mine.csv",
    "caches/mine.npz",
)
"""Files of the user's, beside everything of ours."""
Rows = dict[str, list[str]]


def everything(house: House, run_id: str) -> list[Record]:
    """A record of every kind that a run can write."""
    start, *epochs = records(
        run_id,
        2,
        sweep_id="a sweep",
        parents=[{"param": "weights", "run_id": FIRST, "weights_id": "w", "sha256": "s"}],
    )
    end = ending(run_id, 2)
    written: list[Record] = [start]
    used = SystemUsage(run_id, 1, [1.0], [2], [0.5], [9], [None], [9], [0.25], [7])
    written.append(used)
    for epoch in epochs:
        written += [Steps(run_id, epoch.epoch, [1, 2], [0.5, 0.25]), epoch]  # type: ignore[union-attr]
    written.append(house.weights(run_id, run_id.encode()))
    written += outputs_and_layers(house, run_id)
    one: dict[str, Any] = {name: [1.0] for name in ("mean", "std", "q25", "q50", "q75")}
    written.append(
        Dataset(
            run_id,
            f"of {run_id}",
            "sql",
            None,
            None,
            9,
            ["a"],
            ["DOUBLE"],
            [0],
            [9],
            ["1"],
            ["2"],
            **one,
        )
    )
    written.append(EvaluatorCall(run_id, "roc", 2, False, 0.5, {"test": {"roc.auc": 0.75}}))
    written.append(FileElsewhere(run_id, "model.bin", "s3://elsewhere/model.bin", 9))
    written.append(Replay(run_id, FIRST, False, 2, 1, "loss", 0.5, 0.25))
    return [*written, *end]


def judgement(run_id: str, entry_id: str) -> list[Record]:
    """The records of a later judgement."""
    moment = "2026-11-02T10:00:00+00:00"
    return [
        EvaluationAdded(entry_id, run_id, moment, this_host(), "w", "dataset=wine", {"test": 7}),
        Evaluation(run_id, "test", {"accuracy": 0.5}),
        Confusion(run_id, "test", ["no", "yes"], [1], [1], [7]),
    ]


def care(run_id: str, entry_id: str) -> list[Record]:
    """What was done to a run."""
    moment = "2026-11-03T10:00:00+00:00"
    return [
        Care(entry_id, "tag", moment, run_id, "good"),
        Care(f"{entry_id[:-1]}x", "note", moment, run_id, "a note"),
        SkippedRuns(f"{entry_id[:-1]}y", "a-sweep", moment, [run_id], ["seed=1"]),
        SearchBegun(
            f"{entry_id[:-1]}z", "a-search", "a-sweep", moment, "tpe", [], {"rate": {}}, {}
        ),
        Suggestions(
            f"{entry_id[:-1]}w", "a-search", "a-sweep", moment, 1, "tpe",
            [1, 2], ["seed=1", "seed=2"], ['{"seed":1}', '{"seed":2}'], ["", "gp"],
            [None, -0.5], [None, 0.25], [0.0, 1.0], [None, 2.0],
        ),
    ]  # fmt: skip


def build(home: Path) -> None:
    """`results`: a run that is in, one that failed, one that was lost, and care of them.

    Beside everything of ours in it lie the user's files, and in `outside` more.
    """
    house = House(home / "results")
    house.write(everything(house, FIRST))
    warehouse.sync(house.results)
    *written, end = everything(house, SECOND)
    house.write([*written, replace(end, status="failed", error="no", traceback="no")])  # type: ignore[call-arg]
    house.write(everything(house, THIRD)[:-1], finish=False)
    for make, name in ((care, "care"), (judgement, "judgement")):
        write(house, f"{name}-{new_run_id()}", [to_line(r) for r in make(FIRST, new_run_id())])
    shutil.rmtree(house.results / "snapshots", ignore_errors=True)
    ours, outside = [house.results / name for name in OWN], home / "outside"
    for path in (*ours, outside / "file.txt", outside / "folder" / "inner.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the user's own {path.name}")


def write(house: House, name: str, lines: list[bytes], ending: str = ".done.jsonl") -> Path:
    """A journal of these very bytes."""
    house.journals.mkdir(parents=True, exist_ok=True)
    path = house.journals / f"{name}{ending}"
    path.write_bytes(b"".join(lines))
    return path


def rows_of_good(results: Path) -> Rows:
    """Every row that is about the sound runs, table by table."""
    good = ", ".join(f"'{run_id}'" for run_id in GOOD)
    with warehouse.connect(results) as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_columns() WHERE column_name = 'run_id' AND table_name "
            "IN (SELECT table_name FROM duckdb_tables()) ORDER BY table_name"
        ).fetchall()
        return {
            # As text: a NaN equals nothing.
            table: sorted(
                map(repr, con.execute(f"FROM {table} WHERE run_id IN ({good})").fetchall())
            )
            for (table,) in tables
        }

"""The data beside this file, as commit 7d1a890 wrote them; made once, kept as they are.

git worktree add /tmp/old 7d1a890
PYTHONPATH=/tmp/old python tests/warehouse/old/make.py tests/warehouse/old/results

rows.json: every row that the same commit makes of all of it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb
from runner.records import (
    Artifact,
    Care,
    Confusion,
    Curves,
    Dataset,
    EpochEnd,
    Evaluation,
    Judged,
    Layers,
    Record,
    Replay,
    RunEnd,
    RunStart,
    Steps,
    Tensors,
    Weights,
)

import warehouse
from runner.journal import Journal

HOST = "old-machine"
FINISHED, FAILED, DELETED, REPLAY, ABANDONED = (
    f"01900000-0000-7000-8000-00000000000{n}" for n in range(1, 6)
)
NAN, INFINITY = float("nan"), float("inf")


def stored(results: Path, content: bytes, folder: str, suffix: str) -> tuple[str, str, int]:
    """A file named by its hash: uri, sha256, bytes."""
    digest = hashlib.sha256(content).hexdigest()
    uri = f"{folder}/{digest[:2]}/{digest}.{suffix}"
    (results / uri).parent.mkdir(parents=True, exist_ok=True)
    (results / uri).write_bytes(content)
    return uri, digest, len(content)


def predictions(results: Path) -> bytes:
    """Two rows of a classification."""
    file = results / "draft.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 'test' AS split, range AS row, NULL::VARCHAR AS output, "
            "1.0 AS target, range::DOUBLE AS predicted, 'yes' AS target_name, "
            "['no', 'yes'][range + 1] AS predicted_name, 1.0 - range AS error, "
            f"[range]::FLOAT[] AS outputs FROM range(2)) TO '{file}' (FORMAT parquet)"
        )
    content = file.read_bytes()
    file.unlink()
    return content


def run(results: Path, run_id: str) -> list[Record]:
    """A record of every kind that a run writes but `replay`."""
    moment = f"2026-11-0{run_id[-1]}T10:00:00.000000+00:00"
    weights_id = f"{run_id}:best:2"
    records: list[Record] = [
        RunStart(
            run_id=run_id,
            started_at=moment,
            experiment="grüße",
            fingerprint="f" * 64,
            seed=7,
            engine="keras",
            device="cpu",
            host=HOST,
            pid=1234,
            monitor="val_loss",
            mode="min",
            overrides=["epochs=2", "name='ü \u2028'"],
            config={"epochs": 2, "nested": {"rate": 0.5, "list": [1, None, True, "x"]}},
            params=[
                {"name": "epochs", "value": "2", "number": 2.0},
                {"name": "rate", "value": "inf", "number": INFINITY},
                {"name": "optimizer.name", "value": "adam", "number": None},
            ],
            components=[
                {"kind": "dataset", "name": "digits", "distribution": "d", "version": "1"}
            ],
            versions={"keras": "3.15.0", "python": "3.11"},
            data={"identity": "data-1", "task": {"kind": "binary"}, "train": 100, "val": 20},
            sweep_id="sweep-1",
            git_commit="0" * 40,
            git_dirty=True,
        )
    ]
    for epoch in (1, 2):
        records.append(Steps(run_id, epoch, [10, 20], [0.5 / epoch, NAN]))
        metrics = {"train": {"accuracy": 0.5 * epoch, "loss": 1.0}, "val": {"f1": NAN}}
        records.append(EpochEnd(run_id, epoch, 1.5 / epoch, 2.5 / epoch, 0.001, 0.25, metrics))
    uri, digest, size = stored(results, f"weights of {run_id}".encode(), "weights", "safetensors")
    records += [
        Weights(run_id, weights_id, 2, "best", uri, digest, size, "safetensors"),
        Tensors(
            run_id,
            weights_id,
            ["dense", "dense"],
            ["kernel", "bias"],
            [[4, 2], [2]],
            ["float32", "float32"],
            [8, 2],
            [0.5, NAN],
            [1.0, 0.0],
            [3.0, INFINITY],
            [0.25, 1.0],
            [1, None],
        ),
        Layers(
            run_id,
            ["in", "dense"],
            ["InputLayer", "Dense"],
            [[4, None], None],
            [0, 10],
            [[], ["in"]],
            ["{}", '{"units":2}'],
        ),
        Artifact(run_id, "picture", *stored(results, b"<svg/>", "artifacts", "svg")),
        Artifact(
            run_id, "predictions", *stored(results, predictions(results), "artifacts", "parquet")
        ),
        Dataset(
            run_id,
            "data-1",
            "files",
            "a.csv",
            None,
            120,
            ["a", "b"],
            ["DOUBLE", "VARCHAR"],
            [0, 3],
            [9, None],
            ["1", None],
            ["2", None],
            [1.5, None],
            [0.5, None],
            [1.25, None],
            [1.5, None],
            [1.75, None],
        ),
        Evaluation(run_id, "test", {"loss": 0.5, "accuracy": 0.9, "auc": NAN, "recall[yes]": 0.5}),
        Confusion(run_id, "test", ["no", "yes"], [0, 1], [1, 1], [3, 4]),
        Curves(
            run_id,
            "test",
            ["roc", "pr"],
            ["yes", "no"],
            [[0.0, 1.0], [0.5]],
            [[0.0, 1.0], [0.25]],
            [[INFINITY, None], [0.125]],
        ),
        RunEnd(run_id, "finished", moment.replace("T10", "T11"), 3600.0, 2, 2),
    ]
    return records


def write(results: Path, name: str, records: list[Record], ended: bool = True) -> None:
    """A journal of these records."""
    with Journal(results / "journals", name) as journal:
        for record in records:
            journal.append(record)
        if ended:
            journal.finish()


def judgement(run_id: str, entry_id: str) -> list[Record]:
    """Kept weights judged on other data."""
    moment = "2026-11-06T10:00:00.000000+00:00"
    data = {"identity": "data-2", "test": 7}
    return [
        Judged(entry_id, run_id, moment, HOST, f"{run_id}:best:2", "dataset=wine", data),
        Evaluation(run_id, "test", {"accuracy": 0.25}),
        Confusion(run_id, "test", ["no", "yes"], [1], [1], [7]),
        Curves(run_id, "test", ["roc"], ["yes"], [[0.0, 1.0]], [[0.0, 1.0]], [[None, 0.5]]),
    ]


def care(name: str, *entries: tuple[str, str | None, str | None]) -> list[Record]:
    """Records of (action, run, text)."""
    return [
        Care(f"{name}-{n}", action, f"2026-11-07T10:00:0{n}.000000+00:00", run_id, text)  # type: ignore[arg-type]
        for n, (action, run_id, text) in enumerate(entries)
    ]


def rows(results: Path) -> dict[str, dict[str, list[str]]]:
    """Table -> its columns, and its rows once everything is in."""
    socket.gethostname = lambda: HOST
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(results, Path(folder) / "results")
        done = warehouse.sync(copy)
        assert len(done.ingested) == 2 and not (done.problems or done.reason), done
        tables = {}
        with warehouse.connect(copy) as con:
            names = con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
            for (name,) in names:
                relation = con.table(name)
                if name != "migrations":
                    there = sorted(map(repr, relation.fetchall()))
                    tables[name] = {"columns": relation.columns, "rows": there}
    return tables


def main(results: Path) -> None:
    """Make what is in, then what waits."""
    parents = [
        {"param": "weights", "run_id": FINISHED, "weights_id": f"{FINISHED}:best:2", "sha256": "s"}
    ]
    write(results, FINISHED, run(results, FINISHED))
    *records, end = run(results, FAILED)
    write(
        results,
        FAILED,
        [*records, replace(end, status="failed", error="loss is NaN", traceback="Traceback ...")],
    )
    deleted = run(results, DELETED)
    write(results, DELETED, deleted)
    write(
        results,
        "care-1",
        care(
            "one",
            ("tag", FINISHED, "good"),
            ("tag", FINISHED, "bad"),
            ("untag", FINISHED, "bad"),
            ("note", FINISHED, "a note"),
            ("delete", FAILED, None),
            ("undelete", FAILED, None),
        ),
    )
    write(results, "judgement-1", judgement(FINISHED, "judged-1"))
    done = warehouse.sync(results)
    assert len(done.ingested) == 3 and not (done.problems or done.reason), done
    # Since the database is small only when nobody has it open:
    assert not list(results.glob("*.wal"))

    start, *records = run(results, REPLAY)
    start = replace(
        start, parents=parents, resumed_from=FINISHED, replay_of=FINISHED, sweep_id=None
    )
    replay = Replay(REPLAY, FINISHED, False, 2, 1, "val_loss", 0.5, NAN)
    write(results, REPLAY, [start, *records[:-1], replay, records[-1]])
    write(results, ABANDONED, run(results, ABANDONED)[:-4], ended=False)
    uri = next(record.uri for record in deleted if isinstance(record, Weights))
    write(results, "care-2", care("two", ("delete", DELETED, None), ("collect", None, uri)))
    (results / uri).unlink()
    write(results, "judgement-2", judgement(REPLAY, "judged-2"))
    text = json.dumps(rows(results), indent=0, ensure_ascii=False)
    (results.parent / "rows.json").write_text(text + "\n", encoding="utf-8")
    with (results / "warehouse.duckdb").open("rb") as file:
        (results / "warehouse.duckdb.gz").write_bytes(gzip.compress(file.read(), 9, mtime=0))
    (results / "warehouse.duckdb").unlink()
    (results / "warehouse.lock").unlink()
    shutil.rmtree(results / "snapshots", ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

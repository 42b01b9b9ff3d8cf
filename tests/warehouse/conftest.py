"""Journals as the runner writes them, and processes as users start them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd, Evaluation, Record, RunEnd, RunStart, Weights
from tests import servers
from warehouse.__main__ import main
from warehouse.place import this_host

ROOT = Path(__file__).parents[2]


def records(run_id: str, epochs: int = 3, **start: Any) -> list[Record]:
    """What a run of the reference engine would say, without its end."""
    noise = random.Random(run_id)
    params = start.pop("params", {"optimizer.learning_rate": 0.001, "architecture.name": "mlp"})
    first = RunStart(
        run_id=run_id,
        started_at="2026-11-01T10:00:00.000000+00:00",
        experiment="digits_mlp",
        fingerprint=f"f-{run_id}",
        seed=7,
        engine="keras",
        device="cpu",
        host=this_host(),
        pid=os.getpid(),
        monitor="val_loss",
        mode="min",
        overrides=["epochs=3"],
        config={"epochs": epochs, "optimizer": {"learning_rate": 0.001}},
        params=[
            {"name": k, "value": str(v), "number": v if isinstance(v, float) else None}
            for k, v in params.items()
        ],
        components=[
            {
                "kind": "dataset",
                "name": "digits",
                "distribution": "sweephouse",
                "version": "0.1.0",
            }
        ],
        versions={"keras": "3.15.0"},
    )
    out: list[Record] = [dataclasses.replace(first, **start)]
    for epoch in range(1, epochs + 1):
        loss = 1 / epoch + noise.random() / 10
        out.append(
            EpochEnd(
                run_id=run_id,
                epoch=epoch,
                loss=loss,
                val_loss=loss + 0.1,
                learning_rate=0.001,
                seconds=0.5,
                metrics={"train": {"accuracy": 1 - loss / 2}, "val": {"accuracy": 0.9 - loss / 2}},
            )
        )
    return out


def ending(run_id: str, epochs: int = 3, **end: Any) -> list[Record]:
    """What it says when it is done."""
    return [
        Evaluation(run_id=run_id, split="test", metrics={"loss": 0.5, "accuracy": 0.9}),
        RunEnd(
            run_id=run_id,
            ended_at="2026-11-01T10:00:09.000000+00:00",
            **{
                "status": "finished",
                "seconds": 9.0,
                "epochs": epochs,
                "best_epoch": epochs or None,
            }
            | end,
        ),
    ]


class Done(NamedTuple):
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@dataclasses.dataclass
class House:
    """A results folder and the hands to fill it."""

    results: Path

    @property
    def journals(self) -> Path:
        return self.results / "journals"

    def run(self, epochs: int = 3, run_id: str | None = None, **start: Any) -> str:
        """An ended run's journal."""
        run_id = run_id or new_run_id()
        self.write(records(run_id, epochs, **start) + ending(run_id, epochs))
        return run_id

    def write(self, written: Sequence[Record], finish: bool = True) -> Path:
        """A journal with these records; not finished, it is what a killed runner leaves."""
        with Journal(self.journals, written[0].run_id) as journal:
            for record in written:
                journal.append(record)
            return journal.finish() if finish else journal.path

    def weights(self, run_id: str, content: bytes, role: str = "best") -> Weights:
        """A weights file and the record that refers to it."""
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        uri = f"weights/{digest[:2]}/{digest}.safetensors"
        path = self.results / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return Weights(
            run_id=run_id,
            weights_id=new_run_id(),
            epoch=1,
            role=role,
            uri=uri,
            sha256=digest,
            bytes=len(content),
            format="safetensors",
        )

    def command(self, *words: str, given: str = "") -> Done:
        """A command of `python -m warehouse`, without the cost of a process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr("sys.stdin", io.StringIO(given))
            try:
                code = main(["--results", str(self.results), *words])
            except SystemExit as exit:  # argparse
                code = int(exit.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    def process(self, *words: str) -> str:
        """What `python -m warehouse` prints, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "warehouse", "--results", str(self.results), *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    def python(self, code: str) -> subprocess.Popen[str]:
        """Another process of ours at work on this folder; `results` names it."""
        return subprocess.Popen(
            [sys.executable, "-c", f"results = {str(self.results)!r}\n{code}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


BOTH = {
    f"tests.warehouse.test_{name}"
    for name in (
        *("aliases", "care", "commands", "comparison", "datasets", "evaluation", "ingest"),
        *("lineage", "purge", "readers", "steps", "stop_reasons", "times"),
    )
}
"""Tests of the warehouse's doors: whatever is behind them, a file or a lake."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the doors over a lake, too; all but a handful only where asked."""
    if metafunc.module.__name__ not in BOTH or "house" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("file_only"):
        return
    marks = [pytest.mark.slow, pytest.mark.exhaustive]
    metafunc.parametrize("behind", ["file", pytest.param("lake", marks=marks)], indirect=True)


@pytest.fixture
def behind(request: pytest.FixtureRequest) -> Iterator[str]:
    """What is behind the doors: "file", or "lake", which the environment then names."""
    kind = getattr(request, "param", "file")
    if kind == "lake":
        request.getfixturevalue("lake")
    yield kind


@pytest.fixture
def house(tmp_path: Path, behind: str) -> House:
    """A fresh results folder."""
    return House(tmp_path / "results")


@pytest.fixture
def lake(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a lake that nobody has made yet, and that the environment names."""
    schema = f"lake_{uuid.uuid4().hex[:12]}"
    ask_postgres(postgres, f"CREATE SCHEMA {schema}")
    address = f"{postgres}?data={tmp_path}/lake&schema={schema}"
    monkeypatch.setenv("SWEEPHOUSE_LAKE", address)
    return address


def ask_postgres(uri: str, statement: str) -> None:
    """Have the server do something."""
    with servers.writing(uri.partition("?")[0]) as con:
        con.execute("CALL postgres_execute('server', $1)", [statement])


@pytest.fixture
def rows() -> Callable[..., list[tuple[Any, ...]]]:
    """Rows of a query against the newest snapshot."""
    import warehouse

    def ask(house: House, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with warehouse.connect(house.results) as con:
            return con.execute(query, list(values)).fetchall()

    return ask

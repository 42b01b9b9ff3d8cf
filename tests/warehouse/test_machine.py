"""Journal and ingest against a model: any order of appends, crashes, ingests, deletions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id, now
from runner.journal.records import EpochEnd, RunEnd
from tests.warehouse.conftest import ROOT, House, records
from warehouse.care import entry, record
from warehouse.place import Place

# A second process that syncs when told to: the ingests of two must not get into each other's way.
OTHER = (
    "import sys, warehouse\n"
    "for line in sys.stdin:\n"
    "    print(warehouse.sync(line.strip()).sentence(), flush=True)\n"
)


class Runs(RuleBasedStateMachine):
    """The model: of each run its epochs and its status, and which runs are deleted."""

    runs = Bundle("runs")
    other: subprocess.Popen[str]

    def __init__(self) -> None:
        super().__init__()
        self.house = House(Path(tempfile.mkdtemp(prefix="sweephouse-")) / "results")
        self.open: dict[str, Journal] = {}
        self.model: dict[str, list[Any]] = {}
        self.deleted: set[str] = set()
        self.ended_at_ingest: set[str] = set()

    def teardown(self) -> None:
        for journal in self.open.values():
            journal.close()
        shutil.rmtree(self.house.results.parent)

    @rule(target=runs)
    def start(self) -> str:
        run_id = new_run_id()
        self.open[run_id] = Journal(self.house.journals, run_id)
        self.open[run_id].append(records(run_id, 0)[0])
        self.model[run_id] = [0, "running"]
        return run_id

    @rule(run=runs, torn=st.booleans())
    def crash(self, run: str, torn: bool) -> None:
        if journal := self.open.pop(run, None):
            if torn:
                with journal.path.open("ab") as file:
                    file.write(b'{"record":"epoch_end","run_id":"' + run.encode())
            journal.close()
            self.model[run][1] = "lost"

    @rule(run=runs, many=st.integers(1, 3))
    def train(self, run: str, many: int) -> None:
        if journal := self.open.get(run):
            for _ in range(many):
                self.model[run][0] += 1
                journal.append(EpochEnd(run, self.model[run][0], 0.5, None, 0.1, 1.0))

    @rule(run=runs, status=st.sampled_from(["finished", "stopped", "failed"]))
    def end(self, run: str, status: Any) -> None:
        if journal := self.open.pop(run, None):
            journal.append(RunEnd(run, status, now(), 1.0, self.model[run][0], None))
            journal.finish()
            self.model[run][1] = status

    @rule()
    def ingest(self) -> None:
        result = warehouse.sync(self.house.results)
        assert (result.reason, result.problems, result.waiting) == (None, [], 0)
        self.ended_at_ingest = {r for r, (_, status) in self.model.items() if status != "running"}

    @rule()
    def two_ingest(self) -> None:
        assert self.other.stdin is not None and self.other.stdout is not None
        self.other.stdin.write(f"{self.house.results}\n")
        self.other.stdin.flush()
        warehouse.sync(self.house.results, wait=5)
        assert "problem" not in self.other.stdout.readline()
        self.ingest()

    @rule(run=runs)
    def delete(self, run: str) -> None:
        record(Place.of(self.house.results), [entry("delete", run)])
        self.deleted.add(run)

    @rule(run=runs)
    def undelete(self, run: str) -> None:
        record(Place.of(self.house.results), [entry("undelete", run)])
        self.deleted.discard(run)

    @rule(away=st.booleans())
    def rebuild(self, away: bool) -> None:
        if away:
            (self.house.results / "warehouse.duckdb").unlink(missing_ok=True)
        assert self.house.command("rebuild").returncode == 0

    @invariant()
    def readers_see_the_model(self) -> None:
        with warehouse.connect(self.house.results) as con:
            rows = con.execute(
                "SELECT r.run_id, count(e.epoch), r.status, any_value(r.epochs), "
                "count(DISTINCT e.epoch) FROM runs AS r LEFT JOIN epochs AS e USING (run_id) "
                "GROUP BY ALL"
            ).fetchall()
            gone = {run for (run,) in con.execute("SELECT run_id FROM deleted").fetchall()}
        assert {run: list(seen) for run, *seen in rows} == {
            run: [epochs, status, epochs, epochs] for run, (epochs, status) in self.model.items()
        }
        assert gone == self.deleted

    @invariant()
    def the_plain_client_sees_what_was_ingested(self) -> None:
        path = self.house.results / "warehouse.duckdb"
        if path.exists():
            with duckdb.connect(str(path), read_only=True) as con:
                rows = con.execute("SELECT run_id, epochs, status FROM runs").fetchall()
            assert self.ended_at_ingest <= {run for run, _, _ in rows}
            assert all([epochs, status] == self.model[run] for run, epochs, status in rows)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_any_order_of_events_keeps_every_epoch_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], cwd=ROOT, stdin=-1, stdout=-1, text=True
    ) as Runs.other:
        Runs.TestCase.settings = settings(
            max_examples=5,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        Runs.TestCase("runTest").runTest()
        assert Runs.other.stdin is not None
        Runs.other.stdin.close()

"""device=all: one run on several devices, which are parts of the processor here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import warehouse

CLOSE = 1e-5
"""How far losses may be from those of one device: sums in another order, no more."""
pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What was left behind by a run on one device, one on all, and one on all in two goes."""
    results = tmp_path_factory.mktemp("mirrored")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("mirrored_runs.py"), results],
        env=os.environ | {"SWEEPHOUSE_CPUS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "batch of 1 for 2 devices" in done.stdout
    with warehouse.connect(results) as opened:
        yield opened


def test_losses_are_those_of_one_device_with_short_batches_too(connection: Any) -> None:
    curves = connection.execute(
        "SELECT list(loss ORDER BY epoch), list(val_loss ORDER BY epoch) FROM epochs "
        "GROUP BY run_id HAVING count(*) = 3 ORDER BY run_id"
    ).fetchall()
    assert len(curves) == 3
    for curve in curves[1:]:
        for mine, single in zip(curve, curves[0], strict=True):
            assert mine == pytest.approx(single, rel=CLOSE)


def test_evaluations_are_those_of_one_device(connection: Any) -> None:
    values = connection.execute(
        "SELECT split, name, list(value ORDER BY run_id) FROM evaluations "
        "JOIN runs USING (run_id) WHERE name IN ('loss', 'accuracy') AND epochs = 3 "
        "GROUP BY ALL"
    ).fetchall()
    assert {(split, name) for split, name, _ in values} >= {("val", "loss"), ("test", "loss")}
    for _, _, of_runs in values:
        assert of_runs == pytest.approx([of_runs[0]] * 3, rel=CLOSE)


def test_the_record_says_where_it_trained_and_the_fingerprint_does_not(connection: Any) -> None:
    runs = connection.execute("SELECT device, engine, status FROM runs ORDER BY run_id").fetchall()
    assert runs == [
        ("cpu", "keras", "finished"),
        *[("2 x cpu", "keras", "finished")] * 3,  # the last goes on from the one before
    ]
    [(fingerprints,)] = connection.execute(
        "SELECT count(DISTINCT fingerprint) FROM runs WHERE epochs = 3"
    ).fetchall()
    assert fingerprints == 1
    reasons = connection.execute("SELECT engine_reason FROM runs ORDER BY run_id").fetchall()
    assert reasons[0] == (None,) and "fast declines: device=all" in reasons[1][0]

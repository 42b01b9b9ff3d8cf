"""A sweep that was cut short goes on with what is missing, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Site
from tests.faults.conftest import House, until
from tests.faults.engine import FAIL

TOYS = """
import numpy as np
from runner import Data, Task, dataset

@dataset{identity}
def toys(*, rows: int = 64) -> Data:
    features = np.random.default_rng({draw}).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())
"""


def seeds_of(house: House, *statuses: str) -> list[int]:
    """The seeds of the runs that ended so, in the order of their runs."""
    rows = house.rows("SELECT seed, status FROM runs ORDER BY run_id")
    return [seed for seed, status in rows if status in statuses]


def test_a_killed_sweep_started_again_trains_only_what_is_missing(house: House) -> None:
    words = ["-m", "seed=1,2,3,4", "epochs=30"]
    sweep = house.start(*words, pause=0.01)
    until(lambda: house.epochs(9) == 3, "no third run:", lambda: sweep.said)
    sweep.kill()
    sweep.wait()
    again = house.run(*words)
    assert again.wait() == 0
    house.check()
    assert seeds_of(house, "finished", "lost") == [1, 2, 3, 3, 4]
    assert seeds_of(house, "lost") == [3]
    assert again.said.count("skipped: ") == 2


def test_what_is_finished_is_skipped_without_tensorflow(house: House) -> None:
    assert house.run("-m", "seed=1,2", "epochs=3").wait() == 0
    gone = ("tensorflow", "keras")
    # The same runs whichever engine would train them.
    words = ["dataset=steady", "epochs=3", "engine=keras"]
    again = house.run("-m", "seed=1,2", *words, without=gone)
    assert again.wait() == 0, again.said
    assert again.said.count("skipped: ") == 2
    # The blocker bites: a run that is not there would need it.
    other = house.run("-m", "seed=3", *words, without=gone)
    assert other.wait() != 0
    assert "tensorflow" in other.said


def test_retry_says_which_failures_are_trained_again(house: House) -> None:
    sweep = house.run("-m", "seed=1,2", "epochs=6", env={FAIL: "2"})
    assert sweep.wait() == 1
    assert "ValueError: asked to fail" in sweep.said
    assert house.run("seed=3", "epochs=6", die=("epoch_end", 4)).wait() == -9
    house.check()
    assert (seeds_of(house, "failed"), seeds_of(house, "lost")) == ([2], [3])
    for retry, trained in (("nothing", []), ("failed", [2]), ("lost", [3]), ("all", [])):
        before = len(seeds_of(house, "finished"))
        assert house.run("-m", "seed=1,2,3", "epochs=6", f"retry={retry}").wait() == 0
        assert seeds_of(house, "finished")[before:] == trained


@pytest.mark.parametrize("identity", ["", '(identity=lambda rows: "{draw}")'])
def test_another_component_version_or_data_is_another_run(
    house: House, tmp_path: Path, identity: str
) -> None:
    site = Site(tmp_path / "site")

    def trained() -> bool:
        words = [
            "-m",
            "seed=1",
            "epochs=2",
            "dataset=toys",
            "engine=tests.faults.engine:SteadyEngine",
        ]
        run = house.run(*words, site=str(site.folder))
        assert run.wait() == 0, run.said
        return "skipped: " not in run.said

    def source(draw: int) -> str:
        return TOYS.format(identity=identity.format(draw=draw), draw=draw)

    site.install(source(0))
    assert trained()
    assert not trained()
    site.install(source(0), version="1.1")
    assert trained()
    site.install(source(0) + "\n# edited\n", version="1.1")
    assert trained()
    site.install(source(1), version="1.0")
    assert trained()
    site.install(source(0))
    assert not trained()

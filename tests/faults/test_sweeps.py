"""A sweep that was cut short goes on with what is missing, and with nothing else."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Site
from tests.faults.conftest import House, until
from tests.faults.engine import FAIL
from tests.faults.nursery import PACK

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_killed_pack_keeps_the_epochs_of_each_run_and_its_rest_is_trained(house: House) -> None:
    words = ["-m", "seed=1,2,3,4", "epochs=range(4,35,30)", *PACK]
    sweep = house.start(*words, pause=0.005)
    until(lambda: house.epochs(9) == 4, "no ninth epoch:", lambda: sweep.said)
    sweep.kill()
    sweep.wait()
    assert Counter(house.check().values()) == {"finished": 4, "lost": 4}
    assert house.rows("SELECT min(epochs) FROM runs WHERE status = 'lost'")[0][0] >= 8
    again = house.run(*words)
    assert again.wait() == 0
    assert Counter(house.check().values()) == {"finished": 8, "lost": 4}
    assert again.said.count("skipped: ") == 4


@pytest.mark.slow
def test_a_signal_stops_all_runs_of_a_pack_after_their_epoch(house: House) -> None:
    sweep = house.start("-m", "seed=1,2,3", "epochs=5000", *PACK, pause=0.005)
    until(lambda: house.epochs(3) == 3, "no third epoch:", lambda: sweep.said)
    sweep.kill(signal.SIGINT)
    assert sweep.wait() == 130
    assert Counter(house.check().values()) == {"stopped": 3}
    assert "3 stopped" in sweep.said


@pytest.mark.slow
def test_one_failure_in_a_pack_is_its_own(house: House) -> None:
    sweep = house.run("-m", "seed=1,2,3", "epochs=6", *PACK, env={FAIL: "2"})
    assert sweep.wait() == 1
    assert (seeds_of(house, "finished"), seeds_of(house, "failed")) == ([1, 3], [2])
    house.check()


@pytest.mark.slow
def test_the_same_run_asked_for_twice_is_trained_once(house: House) -> None:
    sweep = house.run("-m", "seed=1,2,1", "optimizer.learning_rate=1e-3,0.001", "epochs=2")
    assert sweep.wait() == 0, sweep.said
    assert seeds_of(house, "finished") == [1, 2]
    assert sweep.said.count("is the same run as seed=1 optimizer.learning_rate=") == 3
    assert sweep.said.count("skipped: ") == 4


@pytest.mark.slow
def test_a_refused_job_leaves_the_later_batches_of_a_sweeper_alone(house: House) -> None:
    words = ["-m", "batch_size=0,8", "seed=1,2,3", "epochs=2"]
    sweep = house.run(*words, "hydra.sweeper.max_batch_size=2")
    assert sweep.wait() == 1
    assert seeds_of(house, "finished") == [1, 2, 3]
    assert "sweep     " in sweep.said and "3 finished, 3 refused" in sweep.said


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["hydra/launcher=basic", "hydra/sweeper=basic"])
def test_hydras_own_launcher_and_sweeper_can_be_chosen(house: House, chosen: str) -> None:
    assert house.run("-m", "seed=1,2", "epochs=2", chosen).wait() == 0
    assert seeds_of(house, "finished") == [1, 2]
    folders = list(house.folder.glob("multirun/*/*/*/.hydra"))
    assert len(folders) == (2 if chosen == "hydra/launcher=basic" else 0)


@pytest.mark.slow
def test_a_sweep_needs_no_plugin_of_hydra_installed(house: House) -> None:
    assert house.run("-m", "seed=1,2", "epochs=2", without=("hydra_plugins",)).wait() == 0
    assert seeds_of(house, "finished") == [1, 2]


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("words", [["seed=1", "skip=finished"], ["-m", "seed=1"]])
def test_a_warehouse_that_does_not_answer_is_one_error(house: House, words: list[str]) -> None:
    assert house.run("seed=1", "epochs=2").wait() == 0
    (house.results / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    run = house.run(*words, "epochs=2", "hydra/launcher=basic")
    assert run.wait() == 2, run.said
    assert "Traceback" not in run.said
    assert "warehouse.duckdb" in run.said.partition("error: ")[2].splitlines()[0]
    assert house.epochs(1) == 1


@pytest.mark.slow
@pytest.mark.exhaustive
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_sweep_of_too_many_jobs_is_refused_before_it_is_planned(house: House) -> None:
    for values, number in [
        ("seed=range(inf)", "endlessly many"),
        ("seed=shuffle(range(1e18))", "1e+18"),
        ("seed=range(200000) dataset.rows=80,81", "400,000"),
        ("seed=range(5) sweep.max_jobs=4", "5"),
    ]:
        sweep = house.run("-m", *values.split())
        assert sweep.wait() == 2, sweep.said
        limit = 4 if number == "5" else 100_000
        assert sweep.said.startswith(
            f"error: the sweep has {number} jobs, more than sweep.max_jobs={limit}: give fewer"
        )
        assert sweep.said.count("\n") == 1
    for odd in ("seed=range(0,5,0)", "sweep.max_jobs=null", "sweep.max_jobs=-1"):
        sweep = house.run("-m", "seed=1,2", odd)
        assert (sweep.wait(), sweep.said.count("\n")) == (2, 1), odd
    assert not house.results.exists()

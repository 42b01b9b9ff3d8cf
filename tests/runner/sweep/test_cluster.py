"""What a worker of a cluster is given: packs, parcels, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest

import warehouse
from runner.config.compose import compose
from runner.errors import ConfigError, RunnerError
from runner.record.outcome import Outcome
from runner.sweep.cluster.cut import COPIES, SHARE, check_pack, cut
from runner.sweep.cluster.parcel import NodeError, Parcel, left_of, pack_up, train_parcel
from runner.sweep.plan import Planner, Run
from tests.conftest import Site

COMMON = ["experiment=digits_mlp", "epochs=2", "limit_batches=2", "architecture.units=[8]"]
FILE_DATASET = """
    from pathlib import Path
    import numpy as np
    from runner import Data, Task, dataset

    @dataset(identity=lambda file: file)
    def rows(*, file: Path):
        "Rows of a file."
        features = np.loadtxt(file, dtype=np.float32)
        return Data(features, features[:, 0], Task.regression(1))
"""


def planned(results: Path, *jobs: Sequence[str]) -> list[Run]:
    """Runs of one sweep, as the head plans them."""
    planner, runs = Planner(), []
    for words in jobs:
        config, experiment = compose([*words, f"results={results}"])
        runs.append(planner.plan(config, experiment, words, sweep_id="sweep-of-test"))
    return runs


def sent(runs: Sequence[Run]) -> Parcel:
    """A parcel as it comes out at a worker."""
    parcel: Parcel = pickle.loads(pickle.dumps(pack_up(runs, began=0.0)))
    return parcel


@pytest.mark.slow
def test_runs_of_one_structure_are_cut_so_that_every_worker_has_some(results: Path) -> None:
    rates = [[*COMMON, f"seed={seed}"] for seed in range(24)]
    runs = planned(results, *rates, [*COMMON, "architecture.units=[4]"])
    runs[24:] = planned(results, *[[*COMMON, "optimizer=sgd", "epochs=1"]] * 3)
    assert [len(pack) for pack in cut(runs, workers=3)] == [8, 8, 8, 3]
    assert [len(pack) for pack in cut(runs, workers=1)] == [24, 3]
    assert [len(pack) for pack in cut(runs, workers=3, pack=20)] == [20, 4, 3]
    assert {run.run_id for pack in cut(runs, workers=2) for run in pack} == {
        run.run_id for run in runs
    }


@pytest.mark.parametrize("pack", [0, -1, "many", True, 1.5])
def test_a_pack_of_no_such_size_is_refused(pack: int | str) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.pack="):
        check_pack(pack)


@pytest.mark.slow
def test_a_parcel_trains_elsewhere_what_the_head_planned(results: Path, tmp_path: Path) -> None:
    runs = planned(results, *[[*COMMON, f"seed={seed}"] for seed in (1, 2)])
    there, told = tmp_path / "worker", []
    parcel = sent(runs)
    outcomes = train_parcel(parcel, there, lambda slip, result: told.append(slip.key))
    assert sorted(outcomes) == sorted(told) == sorted(run.run_id for run in runs)
    assert not results.exists() or not list(results.glob("journals/*.jsonl"))
    warehouse.sync(there)
    with warehouse.connect(there) as connection:
        rows = connection.execute(
            "SELECT run_id, fingerprint, sweep_id, json_extract_string(config, '$.results') "
            "FROM runs ORDER BY run_id"
        ).fetchall()
    assert rows == [(run.run_id, run.fingerprint, "sweep-of-test", str(results)) for run in runs]
    # Of the same network the warehouse knows by now how many weights it has: 64*8+8 + 8*10+10.
    again = planned(there, *[[*COMMON, f"seed={seed}"] for seed in range(8)])
    bytes_a_run = 4 * COPIES * 610
    assert len(cut(again, 1, memory=int(3.5 * bytes_a_run / SHARE))) == 3
    assert left_of(parcel, there) is None
    whole = left_of(parcel, tmp_path / "nowhere")
    assert whole is not None and whole.slips == parcel.slips


@pytest.mark.slow
def test_a_worker_without_the_plugin_or_with_another_refuses_in_one_sentence(
    site: Site, results: Path, tmp_path: Path
) -> None:
    source = """
        from runner import optimizer
        @optimizer
        def toy(*, learning_rate: float = 0.1):
            "A toy."
            import keras
            return keras.optimizers.SGD(learning_rate)
    """
    site.install(source)
    parcel = sent(planned(results, [*COMMON, "optimizer=toy"]))
    said = []
    for change in ("other version", "other source", "none"):
        if change == "other version":
            site.install(source, version="2.0")
        elif change == "other source":
            site.install(source.replace("A toy", "A new toy"))
        else:
            site.remove("toys")
        (error,) = train_parcel(parcel, tmp_path / "worker", node="blue").values()
        assert isinstance(error, NodeError)
        said.append(str(error))
    assert said[0] == (
        "node blue has the optimizer 'toy' of 2.0 of toys, and the head has 1.0 of the package "
        "toys: install toys==1.0 there"
    )
    assert said[1].startswith("node blue has the optimizer 'toy' of toys 1.0 with another source")
    assert said[2] == (
        "node blue has no optimizer 'toy': it comes with the package toys 1.0; "
        "install toys==1.0 there"
    )


def test_data_of_the_head_alone_are_told_of_with_node_and_path(
    site: Site, results: Path, tmp_path: Path
) -> None:
    site.install(FILE_DATASET)
    file = tmp_path / "rows.txt"
    file.write_text("1 2\n" * 40, encoding="utf-8")
    words = ["dataset=rows", f"dataset.file={file}", "architecture=mlp", "epochs=1"]
    parcel = sent(planned(results, words))
    for change, sentence in (
        ("1 3\n" * 40, "on node blue the data of dataset 'rows'"),
        (None, f"on node blue the data file {file} cannot be read: No such file or directory"),
    ):
        if change is None:
            file.unlink()
        else:
            file.write_text(change, encoding="utf-8")
        (error,) = train_parcel(parcel, tmp_path / "worker", node="blue").values()
        assert isinstance(error, NodeError) and str(error).startswith(sentence)


@pytest.mark.slow
def test_an_interrupted_run_is_tried_again_from_its_checkpoint(
    results: Path, tmp_path: Path
) -> None:
    words = [*COMMON, "epochs=4", "checkpoint=1", "engine=fast"]
    runs = planned(results, [*words, "seed=1"], [*words, "seed=2"])
    whole = train_parcel(sent(runs), tmp_path / "whole")
    there = tmp_path / "worker"
    parcel = sent(runs)
    train_parcel(parcel, there)
    # As a worker leaves it that is killed: the second run's journal ends in the midst of it.
    second = there / "journals" / f"{runs[1].run_id}.done.jsonl"
    lines = second.read_bytes().splitlines(keepends=True)
    third = next(i for i, line in enumerate(lines) if b'"epoch_end"' in line and b":3," in line)
    second.unlink()
    (second.parent / f"{runs[1].run_id}.jsonl").write_bytes(b"".join(lines[:third]))
    left = left_of(parcel, there)
    assert left is not None
    (slip,) = left.slips
    assert slip.key == runs[1].run_id != slip.run_id
    assert slip.resume is not None and len(slip.resume.epochs) == 2
    (outcome,) = train_parcel(pickle.loads(pickle.dumps(left)), there).values()
    first = whole[runs[1].run_id]
    assert isinstance(outcome, Outcome) and isinstance(first, Outcome)
    assert outcome.losses == first.losses and outcome.status == "finished"
    assert left_of(parcel, there) is None


@pytest.mark.slow
def test_a_refused_job_leaves_the_others_of_its_parcel_be(results: Path, tmp_path: Path) -> None:
    runs = planned(results, [*COMMON, "seed=1"], [*COMMON, "seed=2"])
    parcel = sent(runs)
    wrong = {**parcel.slips[0].body, "epochs": -1}
    slips = (type(parcel.slips[0])(**{**vars(parcel.slips[0]), "body": wrong}), parcel.slips[1])
    came = train_parcel(type(parcel)(**{**vars(parcel), "slips": slips}), tmp_path / "worker")
    assert isinstance(came[runs[0].run_id], RunnerError)
    assert isinstance(came[runs[1].run_id], Outcome)

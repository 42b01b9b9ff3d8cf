"""Engine `packed` under a search: batch after batch in one process, and members that leave."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.config.compose import compose
from runner.engines.packed import engine, pack
from runner.engines.packed.engine import SHARED
from runner.record.outcome import Outcome
from runner.sweep import batch
from runner.sweep import plan as planning
from runner.sweep.batch import Terms, train_all
from runner.sweep.plan import Planner
from tests.runner.engines.test_packed import (
    BASE,
    DIFFERENT,
    IRIS,
    LAST,
    Told,
    alone,
    check,
    check_packed,
    jobs_of,
    losses,
    trained,
)

RATES = [f"optimizer.learning_rate={rate}" for rate in (0.01, 0.02, 0.03)]
DROPS = ["regularizer.dropout.rate=0.1", "regularizer.dropout.rate=0.2", "seed=2"]
LONE = ("regularizer=[dropout]", "engine=fast", "retry=all")
SEARCH = (*IRIS, "regularizer=[dropout]", "engine=packed", "strict=true")


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    SHARED.forget()
    yield
    SHARED.forget()


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The members of each pack for which a training step was traced."""
    from runner.engines.packed.program import Program

    traced: list[int] = []
    step = Program._step

    def noted(self: Program, state: Any, numbers: Any, *rest: Any) -> Any:
        traced.append(int(numbers.shape[0]))
        return step(self, state, numbers, *rest)

    monkeypatch.setattr(Program, "_step", noted)
    return traced


def searched(
    results: Path, *members: str, base: tuple[str, ...] = SEARCH, more: float | None = None
) -> list[list[float]]:
    """The losses of a batch of runs.

    more: of a search, how many others will follow, for each.
    """
    planner, runs = Planner(), []
    for words in members:
        line = [*base, *words.split(), f"results={results}"]
        runs.append(planner.plan(*compose(line), line))
    outcomes = train_all(runs, terms=Terms(more=more))
    found = []
    for run in runs:
        outcome = outcomes[run.run_id]
        assert isinstance(outcome, Outcome) and outcome.status == "finished"
        found.append(outcome.losses)
    return found


def check_alone(results: Path, members: list[str], together: list[list[float]]) -> None:
    """The losses of runs of a pack are those of the same runs alone, to rounding."""
    alone_again = searched(results, *members, base=(*IRIS, *LONE))
    for one, other in zip(together, alone_again, strict=True):
        assert one == pytest.approx(other, rel=LAST)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_later_batch_borrows_what_an_earlier_one_traced_and_its_losses_are_the_same(
    results: Path, traces: list[int]
) -> None:
    """Bit for bit, whatever varies in it and however many its runs are."""
    batches = [
        (RATES, 2),  # traced: whole batches, and the last one
        ([f"{rate} seed=7" for rate in RATES], 0),
        (DROPS, 2),  # where other numbers vary, these are inputs of a program of its own
        (RATES[:2], 2),  # another number of rows
        ([f"{drop} seed=1" for drop in DROPS[:2]], 2),
        (RATES[::-1], 0),
    ]
    together = []
    for members, count in batches:
        traces.clear()
        together.append(searched(results, *members))
        assert len(traces) == count, members
    for (members, _), found in zip(batches, together, strict=True):
        SHARED.forget()
        assert searched(results, *members, base=(*SEARCH, "retry=all")) == found


@pytest.mark.slow
def test_a_search_traces_each_structure_once_and_builds_only_what_is_new(
    results: Path, traces: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of runs and whatever varies: one size of pack, losses to rounding."""
    built: list[int] = []
    build = batch.build

    def counted(config: Any, *rest: Any) -> Any:
        built.append(config.settings.seed)
        return build(config, *rest)

    monkeypatch.setattr(batch, "build", counted)

    def member(rate: float, drop: float, seed: int) -> str:
        return f"optimizer.learning_rate={rate} regularizer.dropout.rate={drop} seed={seed}"

    batches = [
        ([member(0.01, 0.1, 0), member(0.02, 0.2, 1), member(0.03, 0.3, 9)], 2, 2),
        ([member(0.015, 0.25, 2), member(0.025, 0.15, 3)], 0, 0),  # between those that were built
        ([member(0.02, 0.2, 4)], 0, 0),  # alone, it joins them
        ([member(0.05, 0.2, 5), member(0.02, 0.2, 6)], 0, 1),  # a new extreme, which is built
    ]
    together = []
    for members, count, builds in batches:
        traces.clear()
        built.clear()
        together.append(searched(results, *members, more=0.0))
        assert (traces, len(built)) == ([8] * count, builds), members
    for (members, *_), found in zip(batches, together, strict=True):
        check_alone(results, members, found)


@pytest.mark.slow
def test_the_second_run_that_comes_alone_has_a_program_for_those_to_come(
    results: Path, traces: list[int]
) -> None:
    base = (*IRIS, "regularizer=[dropout]", "engine=packed")
    for seed, count in ((1, 0), (2, 2), (3, 0)):
        traces.clear()
        searched(results, f"seed={seed}", base=base, more=0.0)
        assert len(traces) == count, seed


@pytest.mark.slow
def test_xla_compiles_what_a_search_is_expected_to_train_much_of(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what was trained so far and the trials to come; from then on for all of the structure."""
    from runner.engines.packed.program import Program

    compiled: list[int] = []
    compile_for = Program.compile_for

    def noted(self: Program, state: Any, numbers: Any, steps: int) -> None:
        compiled.append(len(numbers))
        compile_for(self, state, numbers, steps)

    monkeypatch.setattr(Program, "compile_for", noted)
    searched(results, "seed=1", "seed=2", more=0.0)
    [known] = SHARED._known.values()
    monkeypatch.setattr(engine, "WORTH_COMPILING", 4 * known.template.work)
    found = []
    for first, more, count in ((3, 0.5, 0), (5, 1.5, 1), (7, 0.0, 1)):
        members = [f"seed={first}", f"seed={first + 1}"]
        found.append((members, searched(results, *members, more=more)))
        assert compiled == [8] * count, members
    for members, together in found:
        check_alone(results, members, together)


@pytest.mark.slow
def test_another_dataset_comes_when_the_last_one_and_its_templates_are_gone(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, prepare = planning.load, planning.prepare
    alive: list[Any] = []
    seen = []

    def loading(config: Any, **wishes: Any) -> Any:
        seen.append((sum(one() is not None for one in alive), len(SHARED)))
        return load(config, **wishes)

    def preparing(data: Any, config: Any) -> Any:
        prepared = prepare(data, config)
        alive.append(weakref.ref(prepared))
        return prepared

    monkeypatch.setattr(planning, "load", loading)
    monkeypatch.setattr(planning, "prepare", preparing)
    gc.disable()
    try:
        for dataset in ("iris", "wine", "iris"):
            for seeds in ((0, 1), (2, 3)):
                words = [f"dataset={dataset} seed={seed}" for seed in seeds]
                searched(results, *words)
    finally:
        gc.enable()
    assert seen == [(0, 0)] * 3


# --- Members that leave --------------------------------------------------------------------------


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of the pack in each call of its training."""
    from runner.engines.packed.program import Program

    called: list[int] = []
    train = Program.train

    def noted(self: Program, state: Any, *rest: Any) -> Any:
        called.append(len(state.trainable[0]))
        return train(self, state, *rest)

    monkeypatch.setattr(Program, "train", noted)
    monkeypatch.setattr(engine, "LANES", 1)
    # However short the epochs, fewer rows are worth a new program.
    monkeypatch.setattr(pack, "OF_ROWS", 1e9)
    return called


@pytest.fixture(scope="module")
def references() -> Told:
    """The different members, each trained alone by Keras."""
    return alone(jobs_of(BASE, *DIFFERENT))


@pytest.mark.slow
@pytest.mark.parametrize("xla", ["never", "always"])
def test_a_pack_whose_members_have_left_goes_on_with_fewer_rows(
    references: Told, rows: list[int], xla: str
) -> None:
    """Members end after 1, 2, 3 and 5 epochs; one of them is stopped early."""
    members = trained(jobs_of((*BASE, f"xla={xla}"), *DIFFERENT))
    check_packed(members, len(DIFFERENT))
    assert [len(losses(events)) for events in members] == [3, 3, 3, 3, 3, 2, 5, 1]
    fewest = {"never": 1, "always": 2}[xla]
    assert rows[-5:] == [8, 8, 8, fewest, fewest]
    check(members, references)


@pytest.mark.slow
def test_where_averages_are_evaluated_they_move_along(rows: list[int]) -> None:
    words = ("dataset=iris", "regularizer=[dropout]", "optimizer.use_ema=true", "batch_size=16")
    members = [f"seed={seed} epochs={epochs}" for seed, epochs in enumerate((1, 2, 4, 4))]
    jobs = jobs_of((*words, "architecture.units=[6]", "epochs=4"), *members)
    found = trained(jobs)
    assert rows[-4:] == [4, 4, 2, 2]
    check(found, alone(jobs))


@pytest.mark.slow
def test_a_pack_stays_as_it_is_where_fewer_rows_gain_little(
    rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "OF_ROWS", 0.5)
    trained(jobs_of(BASE, *DIFFERENT))
    assert set(rows) == {8}

"""The pruners: pure functions of curves, asked of drawn ones and of ones made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Curve
from runner.components.faults import complaint_of
from runner.components.registry import load
from runner.components.search_types import Curve as CurveType

EPOCHS = 30
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """ask("median", curve, others) gives what the pruner says of the curve as it is."""

    def ask(
        name: str, curve: Curve, others: Sequence[Curve], past: Sequence[Curve] = (), **params: Any
    ) -> Any:
        pruner = load().find("pruner", name)
        offers = {
            "curve": curve,
            "epoch": len(curve.values),
            "epochs": EPOCHS,
            "others": others,
            "past": past,
            "number": curve.number,
            "show": "{:.4g}".format,
        }
        return pruner(offers, pruner.check(params, "search.pruner"))

    return ask


def drawn(seed: int, runs: int, epochs: int = EPOCHS, task: str = "") -> list[Curve]:
    """Curves that fall to a floor of their own, at a pace of their own, with noise."""
    chance = np.random.default_rng(seed)
    at = np.arange(1, epochs + 1)
    curves = []
    for number in range(runs):
        floor, pace = chance.uniform(0.1, 2.0), chance.uniform(0.2, 1.0)
        values = floor + 2 * np.exp(-pace * at) + chance.normal(0, 0.03, epochs)
        curves.append(Curve(tuple(map(float, values)), "finished", number, task))
    return curves


def cut(curve: Curve, epoch: int) -> Curve:
    return Curve(curve.values[:epoch], "running", curve.number)


def flat(*values: float, epochs: int = 3) -> list[Curve]:
    return [Curve((value,) * epochs, number=number) for number, value in enumerate(values)]


def swept(ask: Ask, name: str, curves: Sequence[Curve], **more: Any) -> list[int]:
    """How many epochs each run does where all train side by side."""
    done = [0] * len(curves)
    ended: dict[int, str] = {}
    for epoch in range(1, EPOCHS + 1):
        now = [
            Curve(curve.values[: done[i] if i in ended else epoch], ended.get(i, "running"), i)
            for i, curve in enumerate(curves)
        ]
        for i, curve in enumerate(now):
            if i in ended:
                continue
            done[i] = epoch
            others = [other for other in now if other is not curve]
            if epoch < EPOCHS and ask(name, curve, others, **more):
                ended[i] = "pruned"
    return done


def test_curves_know_their_best_whatever_is_no_number() -> None:
    assert Curve is CurveType
    curve = Curve((float("nan"), 2.0, 3.0, 1.0))
    assert [curve.best(epoch) for epoch in range(6)] == [*[float("inf")] * 2, 2, 2, 1, 1]
    assert Curve(()).best(3) == float("inf")
    assert [Curve((1.0,), status).counts(2) for status in ("running", "pruned")] == [False, True]


def test_none_stops_nothing(ask: Ask) -> None:
    assert swept(ask, "none", flat(9, 1, 1, 1, 1, 1, 1, epochs=EPOCHS)) == [EPOCHS] * 7


def test_median_stops_what_is_worse_than_half_and_says_so(ask: Ask) -> None:
    others = flat(1, 2, 3, 4, 5)
    worse, better = Curve((9.0, 3.5, 3.4)), Curve((9.0, 2.9, 8.0))
    assert ask("median", worse, others) == "3.4 is worse than the median 3 of 5 runs"
    assert not ask("median", better, others)
    assert not ask("median", Curve((3.0,) * 3), others)
    assert not ask("median", worse, others[:4]), "too few to compare with"
    assert ask("median", worse, others[:4], least=4)


def test_median_looks_at_the_epochs_that_it_is_told_to(ask: Ask) -> None:
    curves = flat(1, 1, 1, 1, 1, 9, epochs=EPOCHS)
    assert swept(ask, "median", curves)[5] == 3  # a tenth of all
    assert swept(ask, "median", curves, warmup=0, every=1)[5] == 1
    assert swept(ask, "median", curves, warmup=7, every=5)[5] == 7
    late = [*flat(1, 1, 1, 1, 1, epochs=EPOCHS), Curve((0.5,) * 8 + (0.5,) * 22, number=5)]
    assert swept(ask, "median", late, warmup=2)[5] == EPOCHS


def test_runs_that_were_stopped_still_count_for_the_median(ask: Ask) -> None:
    others = [*flat(1, 1, 1, epochs=9), *(Curve((5.0,), "pruned") for _ in range(4))]
    assert not ask("median", Curve((2.0,) * 9), others)
    assert ask("median", Curve((2.0,) * 9), others[:5])


def test_halving_keeps_a_third_at_each_rung(ask: Ask) -> None:
    curves = flat(*range(27), epochs=EPOCHS)
    done = swept(ask, "halving", curves, first=1)
    # All at 1; the best nine to 3, three to 9, one to 27, which is alone there and goes on.
    assert done == [EPOCHS, 9, 9, *[3] * 6, *[1] * 18]
    assert swept(ask, "halving", curves, first=40) == [EPOCHS] * 27
    why = ask("halving", Curve((5.0,)), flat(1, 2, 3, epochs=1), first=1, eta=2)
    assert why == "5 is not among the best 2 of 4 runs (to 2)"


def test_halving_of_one_run_after_the_other_trains_nothing_anew(ask: Ask) -> None:
    """The stopping variant of ASHA: who comes is compared with those that came there before."""
    before: list[Curve] = []
    lengths = []
    for value in (5, 4, 3, 6, 2, 7, 8, 9):
        curve = Curve((float(value),) * EPOCHS)
        length = next(
            (
                epoch
                for epoch in range(1, EPOCHS)
                if ask("halving", cut(curve, epoch), before, first=3)
            ),
            EPOCHS,
        )
        before.append(Curve(curve.values[:length], "pruned" if length < EPOCHS else "finished"))
        lengths.append(length)
    assert lengths == [EPOCHS, EPOCHS, EPOCHS, 3, EPOCHS, 3, 3, 3]


def test_hyperband_compares_within_brackets_that_begin_later_and_later(ask: Ask) -> None:
    curves = flat(*range(60), epochs=EPOCHS)
    done = swept(ask, "hyperband", curves, first=3)
    assert done[0] == EPOCHS
    assert {*done} == {3, 9, 27, EPOCHS} or {*done} == {3, 9, EPOCHS}
    late = [epochs for epochs in done if epochs != 3]
    assert 10 < len(late) < 40, "a bracket in which nobody stops at the first rung"
    assert swept(ask, "hyperband", curves, brackets=1) == swept(ask, "halving", curves)


def test_the_same_question_has_the_same_answer(ask: Ask) -> None:
    curves, past = drawn(1, 24), drawn(2, 60, task="a")
    for name in ("median", "halving", "hyperband", "learned"):
        first, second = (swept(ask, name, curves, past=past) for _ in range(2))
        assert first == second, name


@pytest.mark.parametrize("name", ["median", "halving", "hyperband", "learned"])
def test_a_pruner_saves_half_of_the_epochs_and_keeps_the_best(name: str, ask: Ask) -> None:
    past = tuple(
        itertools.chain.from_iterable(drawn(90 + i, 60, 20 + i, task=str(i)) for i in range(3))
    )
    for seed in range(3):
        curves = drawn(seed, 32)
        done = swept(ask, name, curves, past=past)
        assert sum(done) < 0.65 * 32 * EPOCHS, seed
        ends = [min(curve.values) for curve in curves]
        kept = [end for end, epochs in zip(ends, done, strict=True) if epochs == EPOCHS]
        assert min(kept) in sorted(ends)[:2], seed


def test_learned_is_median_without_a_past(ask: Ask) -> None:
    curves = drawn(3, 24)
    of_median = swept(ask, "median", curves)
    assert swept(ask, "learned", curves) == of_median
    few = drawn(4, 15, task="a")
    assert swept(ask, "learned", curves, past=few) == of_median


def test_learned_waits_where_past_runs_made_up_for_it(ask: Ask) -> None:
    """On those tasks the last at a tenth of the epochs were the first at the end."""
    crossing = tuple(
        Curve(tuple(float(i if epoch < 20 else -i) for epoch in range(EPOCHS)), "finished", i, "a")
        for i in range(64)
    )
    plain = tuple(Curve((float(i),) * EPOCHS, "finished", i, "b") for i in range(64))
    others = flat(*range(20))
    worst = Curve((30.0,) * 3)
    assert not ask("learned", worst, others, past=crossing)
    why = ask("learned", worst, others, past=plain)
    assert why.startswith("30 is worse than 100% of 20 runs, and of 40 such runs of other tasks")


def test_the_pruner_of_the_page_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text("utf-8")
    [source] = [block for block in page.split("```python\n") if "def plateau" in block]
    space: dict[str, Any] = {"__name__": "plateaus"}
    exec(source.partition("```")[0], space)

    assert complaint_of(space["plateau"]) is None
    falling, flat = Curve(tuple(map(float, range(9, 0, -1)))), Curve((1.0,) * 9)
    assert space["plateau"](falling, 9) is False
    assert space["plateau"](flat, 9) == "nothing better for 5 epochs"
    assert space["plateau"](flat, 5) is False

"""A genetic search for the best compromises between several objectives, as Optuna has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge, Le

from runner import History, Params, Space, Suggestion, sampler

from ._optuna import suggest


@sampler
def nsga2(
    space: Space,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    objectives: int,
    *,
    population: Annotated[int, Ge(2)] = 8,
    crossover: Annotated[float, Ge(0), Le(1)] = 0.9,
    mutation: Annotated[float, Ge(0), Le(1)] | None = None,
) -> list[Suggestion]:
    """Optuna's NSGA-II: children of the trials that no other beats in all objectives.

    With constraints, too. population: how many trials a generation has, of which the first is
    drawn at random. crossover: how probably a child has two parents, between which its numbers
    lie (BLX-alpha). mutation: how probably each param changes; one of a child's without it. Params
    that only count under some choices are drawn at random. It pays with hundreds of trials; with
    fewer tpe does better. Needs `pip install 'sweephouse[search]'`. doi:10.1109/4235.996017.
    """

    def make(seed: int) -> Any:
        from optuna.samplers import NSGAIISampler
        from optuna.samplers.nsgaii import BLXAlphaCrossover, PolynomialMutation

        # Without these two a number of a child is one of its parents', or any at all.
        return NSGAIISampler(
            population_size=population,
            crossover=BLXAlphaCrossover(),
            crossover_prob=crossover,
            mutation=PolynomialMutation(),
            mutation_prob=mutation,
            seed=seed,
        )

    return suggest(
        "nsga2",
        make,
        space,
        history,
        pending,
        n,
        seed,
        objectives,
        startup=population,
        notes=lambda number: {"NSGAIISampler:generation": number // population},
    )

"""The tree-structured Parzen estimator, as Optuna has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from runner import History, Params, RunnerError, Space, Suggestion, sampler

from ._optuna import suggest


@sampler
def tpe(
    space: Space,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    objectives: int,
    *,
    startup: Annotated[int, Ge(0)] = 10,
    candidates: Annotated[int, Ge(1)] = 24,
    multivariate: bool | None = None,
    group: bool | None = None,
) -> list[Suggestion]:
    """Optuna's TPE: where good trials are dense and bad ones are not.

    For one objective or several, with constraints; what is pending counts as bad. startup: so many
    trials are drawn at random. candidates: of so many the likeliest is suggested. multivariate:
    params are seen together rather than one by one; so it is without a word for one objective.
    group: those that only count under some choices are seen together, too; so it is without a
    word where there are such. Needs `pip install 'sweephouse[search]'`. Advances in Neural
    Information Processing Systems 24, 2011.
    """
    if group and multivariate is False:
        raise RunnerError(
            "sampler tpe sees params together with group=true, and one by one with "
            "multivariate=false: leave one of them out"
        )
    conditional = any(dimension.only_if for dimension in space)
    grouped = conditional and objectives == 1 and multivariate is not False
    grouped = grouped if group is None else group

    def make(seed: int) -> Any:
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=startup,
            n_ei_candidates=candidates,
            seed=seed,
            multivariate=multivariate,
            group=grouped,
        )

    return suggest("tpe", make, space, history, pending, n, seed, objectives, startup=startup)

"""`hydra/sweeper=quick`: Hydra's basic sweeper without composing every job a second time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf

from runner.components.passwords import refuse_passwords
from runner.errors import PasswordError
from runner.sweep.launching.packed import PackedLauncher

LIMIT = "sweep.max_jobs"


class QuickSweeper(BasicSweeper):
    """Every combination of the values given, as the basic sweeper has it."""

    def sweep(self, arguments: list[str]) -> Any:
        """Refuse what must not be kept, which the sweeper is about to write; then sweep."""
        try:
            refuse_passwords(OmegaConf.to_container(self.config, resolve=False), "")
        except PasswordError as error:
            raise HydraException(str(error)) from None
        return super().sweep(arguments)

    def split_arguments(  # type: ignore[override]
        self, overrides: list[Override], max_batch_size: int | None
    ) -> Sequence[Sequence[Sequence[str]]]:
        """The jobs in their batches; HydraException where there are none, or too many."""
        number, limit = _number(overrides), self._limit(overrides)
        if number > limit:
            many = f"{number:,}" if number < 1e15 else f"{number:.3g}"
            jobs_in_words = "endlessly many jobs" if number == math.inf else f"{many} jobs"
            raise HydraException(
                f"the sweep has {jobs_in_words}, more than {LIMIT}={limit}: give fewer values, "
                f"or allow more with {LIMIT}=<number>"
            )
        jobs = Jobs(_choices(overrides))
        size = max_batch_size or max(len(jobs), 1)
        return [jobs[first : first + size] for first in range(0, len(jobs), size)]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job before any is launched, unless the launcher does so itself."""
        if not isinstance(self.launcher, PackedLauncher):
            super().validate_batch_is_legal(batch)

    def _limit(self, overrides: Sequence[Override]) -> int:
        """The number of jobs there may be: as the command line says, else the config."""
        assert self.config is not None
        given = [one.value() for one in overrides if one.key_or_group == LIMIT]
        limit: Any = given[-1] if given else self.config.sweep.max_jobs
        if type(limit) is not int or limit < 1:
            raise HydraException(f"{LIMIT}={limit} is not valid: give a whole number from 1 on")
        return limit


class Jobs(Sequence[Sequence[str]]):
    """Every combination of the overrides' values, made when it is asked for."""

    def __init__(self, choices: Sequence[Sequence[str]], places: range | None = None) -> None:
        """choices: the values of each override, as overrides. places: which of the jobs."""
        self._choices = choices
        self._places = range(math.prod(map(len, choices))) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        places = self._places[index]
        if isinstance(places, range):
            return Jobs(self._choices, places)
        words = []
        for values in reversed(self._choices):
            places, which = divmod(places, len(values))
            words.append(values[which])
        return words[::-1]


def _choices(overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides that each stands for; of two for one key the last."""
    by_key: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            by_key[key] = [f"{key}={override.get_value_element_as_str()}"]
            continue
        if not override.is_discrete_sweep():
            assert override.value_type is not None
            raise HydraException(
                f"{override.input_line} is not valid: {override.value_type.name} cannot be listed"
            )
        by_key[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        if not by_key[key]:
            raise HydraException(f"{override.input_line} gives no value to sweep over")
    return list(by_key.values())


def _number(overrides: Sequence[Override]) -> float:
    """The number of jobs, without listing them; infinity where they have no end."""
    counts = {one.get_key_element(): _count(one) for one in overrides}
    return math.prod(max(count, 1) for count in counts.values())


def _count(override: Override) -> float:
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if not isinstance(value, RangeSweep):
        return 1  # or a glob, whose names are few
    start, stop, step = (Decimal(x or 0) for x in (value.start, value.stop, value.step))
    if step == 0 or any(x.is_nan() for x in (start, stop, step)):
        raise HydraException(f"{override.input_line} is not valid: it has no next value")
    if start.is_infinite() or (stop.is_infinite() and (stop > 0) == (step > 0)):
        return math.inf
    if stop.is_infinite() or step.is_infinite():
        return float((stop > start) == (step > 0) and stop != start)
    return max(0, math.ceil((stop - start) / step))

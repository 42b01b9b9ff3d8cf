"""The jobs of a grid: every combination of values, some of them paired, some grids added up."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.errors import HydraException

from runner.config.ties import Join, Tie, Zip

Axis = Sequence[str | tuple[str, ...]]
"""What jobs choose from: the word of each choice, or the words of those that are tied."""
Parse = Callable[[list[str]], list[Override]]


class Jobs(Sequence[Sequence[str]]):
    """Every combination of the axes' choices, made when it is asked for."""

    def __init__(self, axes: Sequence[Axis], places: range | None = None) -> None:
        """places: which of the jobs."""
        self._axes = axes
        self._places = range(math.prod(map(len, axes))) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        places = self._places[index]
        if isinstance(places, range):
            return Jobs(self._axes, places)
        chosen = []
        for axis in reversed(self._axes):
            places, which = divmod(places, len(axis))
            chosen.append(_words(axis[which]))
        return [word for words in reversed(chosen) for word in words]


def number_of(overrides: Sequence[Override], parse: Parse) -> float:
    """The number of jobs, without listing them; infinity where they have no end.

    Of a join it is how many there may be: a combination that two of its grids have is one job.
    """
    of_key = {one.get_key_element(): _count(one) for one in overrides if not isinstance(one, Tie)}
    number: float = 1
    for tie in overrides:
        if isinstance(tie, Zip):
            counts = {key: _count(one) for key, one in _tied(tie, overrides, parse).items()}
            if len(set(counts.values())) > 1:
                parts = [f"{key} has {count:.0f}" for key, count in counts.items()]
                raise HydraException(
                    f"{tie.input_line} is not valid: keys that are paired have equally many "
                    f"values, and {', '.join(parts[:-1])} and {parts[-1]}"
                )
            number *= next(iter(counts.values()))
            for key in counts:
                of_key.pop(_as_given(key, of_key), None)
        elif isinstance(tie, Join):
            number *= sum(number_of(parse(list(grid)), parse) for grid in tie.grids)
    return number * math.prod(max(count, 1) for count in of_key.values())


def axes_of(overrides: Sequence[Override], parse: Parse) -> list[Axis]:
    """What the jobs choose from, in the order of the words; of two for one key the last counts.

    Raises HydraException for a key without values, or tied twice.
    """
    axes: dict[str, Axis] = {}
    places: dict[str, int] = {}
    for place, one in enumerate(overrides):
        places.setdefault(one.get_key_element(), place)
        if not isinstance(one, Tie):
            axes[one.get_key_element()] = _values(one)
    tied: dict[str, str] = {}
    for tie in overrides:
        if not isinstance(tie, Zip | Join):
            continue
        name = str(tie.input_line)
        if isinstance(tie, Zip):
            keys, rows = _paired(tie, overrides, parse)
            places[name] = min(places.get(key, len(places)) for key in (*keys, name))
        else:
            keys, rows = _added_up(tie, axes, parse)
        for key in keys:
            if key in tied:
                raise HydraException(f"{name} is not valid: {key} is tied by {tied[key]} already")
            tied[key] = name
            axes.pop(key, None)
        axes[name] = rows
    return [axes[name] for name in sorted(axes, key=lambda name: places[name])]


def _paired(tie: Zip, overrides: Sequence[Override], parse: Parse) -> tuple[Sequence[str], Axis]:
    """The keys of a zip, and their nth values together."""
    columns = {key: _values(one) for key, one in _tied(tie, overrides, parse).items()}
    return list(columns), list(zip(*columns.values(), strict=True))


def _added_up(tie: Join, axes: Mapping[str, Axis], parse: Parse) -> tuple[Sequence[str], Axis]:
    """The keys of a join, and the jobs of all its grids, each once.

    axes: what stands outside of it: one value of a key counts where a grid has none of its own.
    """
    grids = [axes_of(parse(list(grid)), parse) for grid in tie.grids]
    words = [word for grid in grids for axis in grid for row in axis for word in _words(row)]
    keys = list(dict.fromkeys(map(_key, words)))
    if twice := next((key for key in keys if len(axes.get(key, ())) > 1), None):
        raise HydraException(
            f"{tie.input_line} is not valid: {twice} has several values outside of it, too; give "
            "them inside"
        )
    outside = {key: _words(axes[key][0])[0] for key in keys if key in axes}
    jobs: dict[frozenset[str], tuple[str, ...]] = {}
    for grid in grids:
        for job in Jobs(grid):
            own = set(map(_key, job))
            whole = (*(word for key, word in outside.items() if key not in own), *job)
            jobs.setdefault(frozenset(whole), whole)
    return keys, list(jobs.values())


def _words(choice: str | tuple[str, ...]) -> tuple[str, ...]:
    return (choice,) if isinstance(choice, str) else choice


def _key(word: str) -> str:
    return word.partition("=")[0]


def _tied(tie: Zip, overrides: Sequence[Override], parse: Parse) -> dict[str, Override]:
    """The keys of a zip with their values, from inside of it or from beside it."""
    beside = {one.get_key_element(): one for one in overrides if not isinstance(one, Tie)}
    if tie.words:
        inside = {one.get_key_element(): one for one in parse(list(tie.words))}
        if twice := next((key for key in inside if key in beside), None):
            raise HydraException(
                f"{tie.input_line} is not valid: {twice} has a value outside of it, too"
            )
        found = inside
    else:
        found = {}
        for key in tie.keys:
            given = _as_given(key, beside)
            if given not in beside:
                near = difflib.get_close_matches(key, beside, n=1)
                hint = f"did you mean '{near[0]}'? " if near else ""
                raise HydraException(
                    f"{tie.input_line} is not valid: {hint}{key} has no values beside it; type "
                    f"{key}=<value>,<value> too"
                )
            found[given] = beside[given]
    for one in found.values():
        if one.is_sweep_override() and not one.is_discrete_sweep():
            raise HydraException(f"{one.input_line} is not valid: its values cannot be listed")
        if getattr(one.value(), "shuffle", False):
            raise HydraException(
                f"{tie.input_line} is not valid: which values belong together is lost where "
                f"{one.get_key_element()} is shuffled"
            )
    return found


def _as_given(key: str, keys: Any) -> str:
    """The key as its own word has it: a note has a +, which who ties it may leave out."""
    return next((one for one in (key, f"+{key}", f"++{key}") if one in keys), key)


def _values(override: Override) -> list[str]:
    """The overrides that one stands for."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        assert override.value_type is not None
        raise HydraException(
            f"{override.input_line} is not valid: {override.value_type.name} cannot be listed"
        )
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise HydraException(f"{override.input_line} gives no value to sweep over")
    return values


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

"""The values that one key is to take, as people write them: in Hydra's grammar, in YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException

from runner.components.search_types import Search
from runner.config.sentences import explain
from runner.config.ties import Tie
from runner.config.words import read_override
from runner.errors import ConfigError

LOG = "log"
BOUNDS = {"low", "high", "log"}
MOST = 10_000
"""So many values a key may have at most: of more, an interval is meant."""


def values_of_override(override: Override) -> Search:
    """The values of an override: those of its sweep, or its only one.

    A cast to int leaves whole bounds, any other interval has floats. `shuffle` changes nothing:
    the same search is to have the same space.

    Raises ConfigError where they are endless or none.
    """
    value, word = override._value, str(override.input_line)
    if isinstance(override, Tie):
        raise ConfigError(
            f"{word} is not valid: zip and join are for grids, and a search chooses every value "
            "by itself"
        )
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        assert low is not None and high is not None
        _refuse_tags(word, value.tags, LOG)
        return bounds(word, low, high, LOG in value.tags)
    if isinstance(value, ChoiceSweep | RangeSweep):
        _refuse_tags(word, value.tags)
    if isinstance(value, RangeSweep):
        return Search(values=tuple(_numbers(word, value)))
    if isinstance(value, ChoiceSweep):
        return Search(values=_distinct(word, [plain_value(word, one) for one in value.list]))
    if override.is_sweep_override():  # the names of a group, by a pattern
        names = [str(name) for name in override.sweep_string_iterator()]
        return Search(values=_distinct(word, names))
    return Search(values=(plain_value(word, value),))


def values_of_node(key: str, node: Any) -> Search:
    """The values as a config says them: text of the grammar, a list, or {low, high, log}.

    Raises ConfigError where it is none of these.
    """
    where = f"search.space: {key}"
    if isinstance(node, str):
        return values_of_override(_override(key, node))
    if isinstance(node, Mapping):
        if not {"low", "high"} <= set(node) <= BOUNDS:
            raise ConfigError(
                f"{where} is not valid: give values to choose from, or {{low: 1e-4, high: 1e-1}}, "
                "with log: true where orders of magnitude count"
            )
        for name in ("low", "high"):
            if isinstance(node[name], bool) or not isinstance(node[name], int | float):
                raise ConfigError(f"{where}.{name}={node[name]} is not valid: give a number")
        if not isinstance(node.get(LOG, False), bool):
            raise ConfigError(f"{where}.log={node[LOG]} is not valid: give true or false")
        low, high = float(node["low"]), float(node["high"])
        return bounds(where, low, high, node.get(LOG, False))
    if isinstance(node, Sequence):
        return Search(values=_distinct(where, [plain_value(where, one) for one in node]))
    return Search(values=(node,))


def bounds(where: str, low: float, high: float, log: bool) -> Search:
    """An interval; ConfigError where it has no values.

    where: the beginning of the sentence.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{where} is not valid: a search needs two bounds that are numbers")
    if low > high:
        raise ConfigError(
            f"{where} is not valid: its bounds are the wrong way round, from {low:g} to {high:g}"
        )
    if log and low <= 0:
        raise ConfigError(
            f"{where} is not valid: with log both bounds are above 0, and {low:g} is not"
        )
    return Search(low, high, log)


def plain_value(where: str, value: Any) -> Any:
    """A value that a choice may have: text, a number, a flag, None, or a tuple of them."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list | tuple):
        return tuple(plain_value(where, one) for one in value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise ConfigError(
        f"{where} is not valid: a search chooses from text, numbers, flags and lists of them, "
        "not from groups of keys"
    )


def _override(key: str, text: str) -> Override:
    """A text of the grammar as the override that it would be on the command line."""
    word = f"{key}={text}"
    try:
        return read_override(word, OverridesParser.create().parse_override, multirun=True)
    except HydraException as error:
        raise explain(error) from error


def _refuse_tags(word: str, tags: set[str], *known: str) -> None:
    odd = sorted(tags - set(known))
    if odd == [LOG]:
        raise ConfigError(f"{word} is not valid: log is for an interval, tag(log,interval(a,b))")
    if odd:
        raise ConfigError(f"{word} is not valid: a search knows one tag, log, and no '{odd[0]}'")


def _numbers(word: str, sweep: RangeSweep) -> list[float]:
    """The values of a range, in ascending order."""
    values: list[float] = []
    for value in sweep.range():
        if len(values) == MOST:
            raise ConfigError(
                f"{word} is not valid: it has more than {MOST} values; give an interval(a,b)"
            )
        values.append(value if isinstance(value, int) else float(value))
    if not values:
        raise ConfigError(f"{word} is not valid: it has no value")
    return sorted(values)


def _distinct(where: str, values: Sequence[Any]) -> tuple[Any, ...]:
    distinct: list[Any] = []
    for value in values:
        if not any(type(one) is type(value) and one == value for one in distinct):
            distinct.append(value)
    if not distinct:
        raise ConfigError(f"{where} is not valid: it gives nothing to choose from")
    return tuple(distinct)

"""A search's space, from the command line and the config; configurations as overrides."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override, Quote, QuotedString

from runner.components.registry import Registry
from runner.components.search_types import Dimension, Params, Search, Space
from runner.config.config import Config
from runner.config.settings import NAMES, SearchSettings
from runner.errors import ConfigError
from runner.search.keys import EXPERIMENT, KINDS_BY_KEY, Key, Keys
from runner.search.values import BOUNDS, bounds, values_of_node, values_of_override

AUTO = "auto"
BARE = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
"""Text that needs no quotes in an override."""
MISREAD = {"null", "true", "false", "inf", "nan"}
Compose = Callable[[Sequence[str]], Config]


@dataclass(frozen=True)
class Asked:
    """What a search was asked for."""

    space: Space
    fixed: list[str]
    """The overrides that are the same for all configurations."""


def asked_of(
    overrides: Sequence[Override], search: SearchSettings, compose: Compose, registry: Registry
) -> Asked:
    """The space that a command line and `search.space` mean.

    overrides: all of the command line; of two for one key the last counts. What it gives goes
        before what `search.space` says of the same key.
    compose: gives the config of overrides.

    Raises ConfigError where a key or a value is wrong, or where nothing varies.
    """
    words = {_key_of(one): one for one in overrides}
    swept = {k: values_of_override(one) for k, one in words.items() if one.is_sweep_override()}
    fixed = {k: str(one.input_line) for k, one in words.items() if k not in swept}
    named = _named_in(search.space)
    swept |= {key: values for key, values in named.items() if key not in words}
    swept = {key: _each_once(key, _in_order(values), registry) for key, values in swept.items()}
    for key in [key for key, values in swept.items() if _is_group(key) and _is_one(values)]:
        fixed[key] = word_of(key, swept.pop(key).values[0])
    groups = {
        key: swept[key].values
        for key in sorted(filter(_is_group, swept), key=lambda key: key != EXPERIMENT)
    }
    in_question = [key for key in fixed if key.partition(".")[0] in groups]
    probe = _Probe(compose, fixed, groups, swept, registry)
    keys = Keys(registry, groups, probe.config)
    if (wanted := _auto(search.space)) is not None:
        for key, declared in keys.declared(wanted).items():
            if key not in words and key not in swept:
                swept[key] = _in_order(_joined(declared))
    for key in in_question:  # a value for those of the choices that have such a param
        if keys.find(key).only_if:
            swept[key] = values_of_override(words[key])
            del fixed[key]
    dimensions = [_dimension(key, swept[key], keys.find(key)) for key in groups]
    for key in swept:
        if key in groups:
            continue
        dimension = _dimension(key, swept[key], keys.find(key))
        if dimension.size == 1 and not dimension.only_if:
            fixed[key] = word_of(key, dimension.value(0))
        else:
            dimensions.append(dimension)
    if not any(dimension.size > 1 for dimension in dimensions):
        raise ConfigError(_NOTHING)
    return Asked(Space(tuple(dimensions)), list(fixed.values()))


def words_of(space: Space, params: Params) -> list[str]:
    """The overrides of one configuration; params that do not count are left out."""
    return [word_of(one.name, _cast(one, params[one.name])) for one in space.active(params)]


_NOTHING = (
    "hydra/sweeper=search has nothing to vary: give values, such as optimizer=adam,sgd or "
    "'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))', or search.space=auto"
)


class _Probe:
    """A giver of configs that tell which components there are besides those that are varied."""

    def __init__(
        self,
        compose: Compose,
        fixed: Mapping[str, str],
        groups: Mapping[str, Sequence[Any]],
        swept: Mapping[str, Search],
        registry: Registry,
    ) -> None:
        self._compose, self._groups = compose, groups
        self._fixed = [w for key, w in fixed.items() if key.partition(".")[0] not in groups]
        required = {
            f"{component.kind.key}.{param.name}"
            for component in registry.components.values()
            for param in component.params
            if param.required
        }
        for key, values in swept.items():
            if key in required and key.partition(".")[0] not in groups:
                first = values.values[0] if values.values else values.low
                self._fixed.append(word_of(key, first))

    def config(self, preset: str | None) -> Config:
        """The config under one of the presets that are varied, or none."""
        words = [word_of(key, values[0]) for key, values in self._groups.items()]
        if preset is not None:
            words[0] = word_of(EXPERIMENT, preset)
        return self._compose([*self._fixed, *words])


def _key_of(override: Override) -> str:
    """The override's key; of something that there is without the + or ++ that it may have."""
    key = override.get_key_element()
    bare = key.lstrip("+")
    return bare if bare.partition(".")[0] in NAMES | set(KINDS_BY_KEY) else key


def _is_group(key: str) -> bool:
    return key in KINDS_BY_KEY or key == EXPERIMENT


def _is_one(values: Search) -> bool:
    return len(values.values) == 1


def _named_in(space: str | Mapping[str, Any] | None) -> dict[str, Search]:
    """The keys that `search.space` names, with their values."""
    if space is None:
        return {}
    if isinstance(space, str):
        if _auto(space) is None:
            raise ConfigError(
                f"search.space={space} is not valid: give auto, auto:optimizer, or keys with "
                "their values, {optimizer.learning_rate: interval(1e-4,1e-1)}"
            )
        return {}
    return dict(_flat("", space))


def _flat(prefix: str, node: Mapping[str, Any]) -> list[tuple[str, Search]]:
    """The keys of a mapping, in which keys may lie inside of others, as in a config."""
    found = []
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping) and value and not set(value) & BOUNDS:
            found += _flat(key, value)
        else:
            found.append((key, values_of_node(key, value)))
    return found


def _auto(space: str | Mapping[str, Any] | None) -> list[str] | None:
    """The kinds that `auto:` names, none for all; None where the space is said otherwise."""
    if not isinstance(space, str):
        return None
    head, _, rest = space.partition(":")
    return [name.strip() for name in rest.split(",") if name.strip()] if head == AUTO else None


def _joined(declared: Sequence[Search]) -> Search:
    """One for all that components say of params of one name: whatever any of them would try."""
    if any(one.values for one in declared):
        every = [value for one in declared for value in one.values]
        return Search(values=[one for i, one in enumerate(every) if one not in every[:i]])
    lows = [float(one.low) for one in declared if one.low is not None]
    highs = [float(one.high) for one in declared if one.high is not None]
    return Search(min(lows), max(highs), any(one.log for one in declared))


def _each_once(key: str, values: Search, registry: Registry) -> Search:
    """The values of a group without those that are others by another name: adam is Adam."""
    kind = KINDS_BY_KEY.get(key)
    if not values.values and _is_group(key):
        raise ConfigError(f"{key} takes names, and no interval: give {key}=<name>,<name>")
    if kind is None:
        return values
    by_meaning: dict[Any, Any] = {}
    for value in values.values:
        names = value if isinstance(value, tuple) else (value,)
        found = [registry.components.get((kind.name, name)) for name in names]
        meaning = [one.name if one else name for one, name in zip(found, names, strict=True)]
        by_meaning.setdefault((isinstance(value, tuple), *meaning), value)
    return Search(values=tuple(by_meaning.values())) if by_meaning else values


def _in_order(values: Search) -> Search:
    """The values as a dimension has them: tuples for lists, numbers in ascending order."""
    choices = tuple(_tuples(value) for value in values.values)
    if choices and all(map(_is_number, choices)):
        choices = tuple(sorted(choices))
    return Search(values.low, values.high, values.log, choices)


def _dimension(key: str, values: Search, about: Key) -> Dimension:
    """A key with its values; ConfigError for one that it may not have."""
    if values.values:
        choices = tuple(values.values)
        about.check(choices)
        are_numbers = all(map(_is_number, choices))
        # A penalty, a momentum or a rate of zero is left out of the program altogether.
        with_zero = are_numbers and 0 in choices and len(choices) > 1
        return Dimension(
            key,
            "choice",
            choices=choices,
            ordered=are_numbers and len(choices) > 1,
            only_if=about.only_if,
            structural=about.is_structural or not are_numbers or with_zero,
        )
    low, high = values.low, values.high
    assert low is not None and high is not None
    if about.scalars == {bool}:
        raise ConfigError(f"{key} is a flag: give its values, {key}=true,false")
    about.check([low, high])
    is_whole = isinstance(low, int) and isinstance(high, int)  # as a cast leaves it
    if is_whole or (int in about.scalars and float not in about.scalars):
        low, high = int(low), int(high)
    bounds(key, low, high, values.log)
    if low == high:
        return _dimension(key, Search(values=(low,)), about)
    kind: Any = "int" if isinstance(low, int) else "float"
    return Dimension(
        key,
        kind,
        low,
        high,
        values.log,
        only_if=about.only_if,
        structural=about.is_structural,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _cast(dimension: Dimension, value: Any) -> Any:
    """The value as its kind has it, whichever library's number a sampler gave."""
    if dimension.kind == "choice":
        return value
    return int(value) if dimension.kind == "int" else float(value)


def word_of(key: str, value: Any) -> str:
    """The override that gives a key this value."""
    return f"{key}={_text(value)}"


def _text(value: Any) -> str:
    """The value as an override has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, str) and (not BARE.fullmatch(value) or value.lower() in MISREAD):
        quote = Quote.single if '"' in value and "'" not in value else Quote.double
        return QuotedString(value, quote).with_quotes()
    return str(value)

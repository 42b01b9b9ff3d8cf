"""What a key of the config stands for: its type, under which choices it counts, what it costs."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.components.kinds import KINDS, Kind
from runner.components.registry import Component, Registry
from runner.components.search_types import Search, search_of
from runner.components.signature import Param, check, model_of
from runner.components.types import ShapeFree
from runner.config.config import Config
from runner.config.settings import NAMES, OF_OUTCOME, settings_params
from runner.config.words import scalars_of
from runner.errors import ConfigError, choices

EXPERIMENT = "experiment"
KINDS_BY_KEY = {kind.key: kind for kind in KINDS.values()}
OF_DATA = {"dataset", "preprocessing"}
"""Kinds whose params make other data: no two of them train as one program."""
COUNTED = {"schedule"}
"""Kinds whose whole numbers a program takes as it takes floats."""
WITHIN_A_PROGRAM = {"seed", "epochs"}
"""Settings in which runs of one program may differ."""
Condition = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Key:
    """One key of the config."""

    name: str
    annotations: Sequence[Any] = ()
    """Its types: of every component in question that has it; none where it is a note."""
    only_if: Condition = field(default_factory=dict)
    """Other keys -> their values under which it counts."""
    is_structural: bool = True
    """Whether runs that differ in it cannot train as one program, whatever its values are."""

    @property
    def scalars(self) -> frozenset[type]:
        """The types of its values."""
        return frozenset().union(*map(scalars_of, self.annotations))

    def check(self, values: Sequence[Any]) -> None:
        """Raise ConfigError for the first value that it may not have."""
        place, _, name = self.name.rpartition(".")
        for annotation in self.annotations:
            model = model_of(name, [Param(name, annotation, dataclasses.MISSING)])
            for value in values:
                check(model, {name: _listed(value)}, place)


class Keys:
    """A finder of keys, among the components that a search may come to use."""

    def __init__(
        self,
        registry: Registry,
        groups: Mapping[str, Sequence[Any]],
        compose: Callable[[str | None], Config],
    ) -> None:
        """groups: the keys of kinds that are varied, and that of presets, with their values.

        compose: gives the config under a preset, or under none that is varied.
        """
        self._registry, self._groups = registry, groups
        self._compose = functools.cache(compose)
        for key in groups:
            if key in KINDS_BY_KEY:
                self._used(KINDS_BY_KEY[key])  # a name that there is not is told first

    def find(self, name: str) -> Key:
        """The key; ConfigError where there is none, or none that a search may vary."""
        head, _, rest = name.partition(".")
        if name in KINDS_BY_KEY or name == EXPERIMENT:
            return Key(name)
        if head in KINDS_BY_KEY:
            return self._of_component(KINDS_BY_KEY[head], name, rest)
        if head in NAMES:
            if head not in OF_OUTCOME:
                raise ConfigError(
                    f"{name} cannot be searched: it says how runs are trained, not what comes "
                    "out of them"
                )
            param = next(param for param in settings_params() if param.name == head)
            types = _inside(head, param.annotation, rest)
            return Key(name, types, {}, head not in WITHIN_A_PROGRAM)
        if name.startswith("+"):
            return Key(name)
        known = [*NAMES, *KINDS_BY_KEY, EXPERIMENT]
        raise ConfigError(f"there is no key '{head}' ({name}): {choices(head, known)}")

    def declared(self, wanted: Sequence[str]) -> dict[str, list[Search]]:
        """What params say themselves of the values worth trying: key -> what each component says.

        wanted: kinds and settings, by their keys; all where there are none.

        Raises ConfigError for a name that is neither.
        """
        if odd := sorted(set(wanted) - set(KINDS_BY_KEY) - set(OF_OUTCOME)):
            known = [*KINDS_BY_KEY, *OF_OUTCOME]
            raise ConfigError(
                f"search.space=auto:{','.join(wanted)} is not valid: there is no kind '{odd[0]}', "
                f"{choices(odd[0], known)}"
            )
        declared: dict[str, list[Search]] = {}
        for kind in KINDS.values():
            if wanted and kind.key not in wanted:
                continue
            for _, named in self._used(kind):
                for name, component in named.items():
                    place = f"{kind.key}.{name}" if kind.many else kind.key
                    for param in component.params:
                        _note(declared, f"{place}.{param.name}", param)
        for param in settings_params():
            if not wanted or param.name in wanted:
                _note(declared, param.name, param)
        return declared

    def _of_component(self, kind: Kind, name: str, rest: str) -> Key:
        """The key of a component's param."""
        component_name, _, inner = rest.partition(".") if kind.many else ("", "", rest)
        param_name, _, deeper = inner.partition(".")
        annotations: list[Any] = []
        conditions: dict[str, list[Any]] = {}
        used = self._used(kind)
        for condition, named in used:
            wanted = [component_name] if kind.many else list(named)
            params = [
                param
                for one in wanted
                if one in named
                for param in named[one].params
                if param.name == param_name
            ]
            if not params:
                continue
            annotations += [a for p in params for a in _inside(name, p.annotation, deeper)]
            for key, values in condition.items():
                conditions.setdefault(key, []).extend(values)
        if not any(len(values) for values in conditions.values()) and not annotations:
            raise ConfigError(self._nobody_has(kind, name, component_name, param_name))
        if sum(map(len, conditions.values())) == sum(len(c) for c, _ in used):
            conditions = {}  # whatever is chosen has it
        only_if = {key: tuple(values) for key, values in conditions.items()}
        scalars = frozenset().union(*map(scalars_of, annotations))
        counts_as_float = (
            float in scalars
            or kind.name in COUNTED
            or all(_is_shape_free(annotation) for annotation in annotations)
        )
        is_number = bool(scalars) and scalars <= {int, float}
        is_structural = kind.name in OF_DATA or not (is_number and counts_as_float)
        return Key(name, annotations, only_if, is_structural)

    def _used(self, kind: Kind) -> list[tuple[Condition, dict[str, Component]]]:
        """The components of a kind by the choices that bring them in: name -> component."""
        if kind.key in self._groups:
            return [
                ({kind.key: (value,)}, self._named(kind, value))
                for value in self._groups[kind.key]
            ]
        presets = self._groups.get(EXPERIMENT)
        if presets is None:
            return [({}, _chosen(self._compose(None), kind))]
        return [
            ({EXPERIMENT: (preset,)}, _chosen(self._compose(preset), kind)) for preset in presets
        ]

    def _named(self, kind: Kind, value: Any) -> dict[str, Component]:
        names = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(name, str) for name in names) or not (kind.many or len(names) == 1):
            have = [component.name for component in self._registry.of_kind(kind.name)]
            raise ConfigError(
                f"{kind.key}={value} is not valid: {kind.key} takes "
                f"{'lists of names' if kind.many else 'names'}, {choices('', have)}"
            )
        return {name: self._registry.find(kind.name, name) for name in names}

    def _nobody_has(self, kind: Kind, name: str, component_name: str, param: str) -> str:
        """The sentence for a param that no component in question has."""
        named = {key: component for _, used in self._used(kind) for key, component in used.items()}
        if kind.many and component_name not in named:
            component = self._registry.find(kind.name, component_name)
            return (
                f"{name} cannot be searched: no {kind.key} in question names {component.name}; "
                f"add it with {kind.key}=[{component.name}]"
            )
        if kind.many:
            named = {component_name: named[component_name]}
        have = {param.name for component in named.values() for param in component.params}
        who = " nor ".join(sorted(named)) or "nothing"
        neither = "neither " if len(named) > 1 else ""
        return (
            f"{name} cannot be searched: {neither}{who} has {'a' if neither else 'no'} param "
            f"'{param}': {choices(param, have)}"
        )


def _chosen(config: Config, kind: Kind) -> dict[str, Component]:
    return {one.component.name: one.component for one in config.chosen[kind.name]}


def _note(declared: dict[str, list[Search]], name: str, param: Param) -> None:
    if (search := search_of(param.annotation)) is not None:
        declared.setdefault(name, []).append(search)


def _inside(place: str, annotation: Any, path: str) -> list[Any]:
    """The type of what lies below a param, by dotted names; Any where it says nothing of it."""
    for name in filter(None, path.split(".")):
        if not dataclasses.is_dataclass(annotation):
            return [Any]
        hints = typing.get_type_hints(annotation, include_extras=True)
        if name not in hints:
            raise ConfigError(f"{place} has no key '{name}': {choices(name, hints)}")
        annotation = hints[name]
    return [annotation]


def _is_shape_free(annotation: Any) -> bool:
    return any(isinstance(mark, ShapeFree) for mark in getattr(annotation, "__metadata__", ()))


def _listed(value: Any) -> Any:
    """The value with lists, as a config has them."""
    return [_listed(one) for one in value] if isinstance(value, tuple) else value

"""A composed config: its settings and components, checked against the signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.components.decorators import Stage
from runner.components.kinds import KINDS, SEARCH_KINDS, Kind
from runner.components.passwords import refuse_passwords
from runner.components.registry import Component, Registry
from runner.components.signature import check, plain
from runner.components.types import RunWeights
from runner.config.on_end import check_on_end
from runner.config.settings import NAMES, Settings, settings_model
from runner.config.split import check_split
from runner.errors import ConfigError, choices
from runner.journal.params import param_value
from runner.journal.records import ParamValue, Parent
from runner.system.paths import from_home

STAGES: tuple[Stage, ...] = ("structure", "penalty")


@dataclass(frozen=True)
class Choice:
    """A component and the params it will be called with."""

    component: Component
    params: Mapping[str, Any]

    def __call__(self, **offers: Any) -> Any:
        """Call the component with what it takes of the offers."""
        return self.component(offers, self.params)


@dataclass(frozen=True)
class Config:
    """A composed and checked config."""

    settings: Settings
    chosen: Mapping[str, Sequence[Choice]]
    """Kind -> the components in use, in the order in which they apply."""
    notes: Mapping[str, Any]
    """Keys that the user added (`+key=value`): recorded, otherwise unused."""
    losses: Mapping[str, Choice] = dataclasses.field(default_factory=dict)
    """Head -> the loss that `heads` gives it instead of the one loss."""

    def one(self, kind: str) -> Choice:
        """The component of a kind that holds one."""
        return self.chosen[kind][0]

    def all(self) -> Iterator[tuple[Kind, Choice]]:
        """Every component in use with its kind."""
        for kind, choices_ in self.chosen.items():
            for choice in choices_:
                yield KINDS[kind], choice
        for choice in self.losses.values():
            yield KINDS["loss"], choice

    def plain(self) -> dict[str, Any]:
        """The whole config as JSON can say it; `config_of` reads it back."""
        body: dict[str, Any] = {
            field.name: plain(getattr(self.settings, field.name))
            for field in dataclasses.fields(self.settings)
        }
        for kind_name, choices_ in self.chosen.items():
            kind = KINDS[kind_name]
            if kind.many:
                body[kind.key] = {c.component.name: plain(c.params) for c in choices_}
            else:
                only = choices_[0]
                body[kind.key] = {"name": only.component.name} | plain(only.params)
        return body | dict(self.notes)


def config_of(body: Mapping[str, Any], registry: Registry, base: Path | None = None) -> Config:
    """Check a plain config; ConfigError or PluginError names the first thing that is wrong.

    base: the folder against which components' relative paths count, if not the present one.
    """
    body = dict(body)
    refuse_passwords(body, "")
    chosen: dict[str, Sequence[Choice]] = {}
    for kind in KINDS.values():
        node = body.pop(kind.key, None)
        chosen[kind.name] = list(_choices(kind, node, registry, base or Path.cwd()))
    notes = {key: value for key, value in body.items() if key not in NAMES}
    values = {key: value for key, value in body.items() if key in NAMES}
    settings = Settings(**check(settings_model(), values, ""))
    check_split(settings.split)
    check_on_end(settings.on_end)
    return Config(settings, chosen, notes, _head_losses(settings, registry))


def _head_losses(settings: Settings, registry: Registry) -> dict[str, Choice]:
    """The losses that heads have of their own."""
    losses = {}
    for head, one in (settings.heads or {}).items():
        if one.loss is not None:
            losses[head] = _named("loss", one.loss, registry, f"heads.{head}.loss")
    return losses


def search_choice(kind: str, named: str | Mapping[str, Any], registry: Registry) -> Choice:
    """The sampler or pruner that the config names, its params checked.

    Raises ConfigError for an unknown name, with near ones, and for params that are not its own.
    """
    return _named(kind, named, registry, SEARCH_KINDS[kind].key)


def _named(kind: str, named: str | Mapping[str, Any], registry: Registry, place: str) -> Choice:
    """The component that a value names: alone, or in a dict with its params."""
    node = {"name": named} if isinstance(named, str) else dict(named)
    name = node.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(
            f"{place} names no {kind}: give {place}=<name>, or {place}={{name:<name>,<param>:"
            f"<value>}}, {choices('', registry.names(kind))}"
        )
    component = registry.find(kind, name)
    return Choice(component, component.check(node, place))


# What a deleted group (`~schedule`) means; a run without the others makes no sense.
WITHOUT = {"schedule": "constant", "loss": "auto"}


def _choices(kind: Kind, node: Any, registry: Registry, base: Path) -> Iterator[Choice]:
    """The components that a kind's part of the config names."""
    if kind.many:
        named = dict(node or {})
        for name, params in named.items():
            if not isinstance(params, Mapping):
                raise ConfigError(
                    f"{kind.key}.{name}={params} is not valid: give names as in "
                    f"{kind.key}=[{name}], and params as in {kind.key}.{name}.key=value"
                )
    else:
        if node is None and kind.name in WITHOUT:
            node = {"name": WITHOUT[kind.name]}
        if not isinstance(node, Mapping) or "name" not in node:
            have = choices("", registry.names(kind.name))
            raise ConfigError(f"the config has no {kind.key}: give {kind.key}=<name>, {have}")
        named = {node["name"]: {key: item for key, item in node.items() if key != "name"}}
    components = []
    for name, params in named.items():
        component = registry.find(kind.name, name)
        place = f"{kind.key}.{name}" if kind.many else kind.key
        checked = component.check(params, place)
        # Whole, so that the run can be trained again from anywhere.
        places = component.places
        whole = {
            key: base / from_home(value)
            if isinstance(value, Path)
            else str(base / from_home(value))
            if key in places and "://" not in value
            else value
            for key, value in checked.items()
        }
        components.append(Choice(component, whole))
    if kind.many and not kind.ordered:
        components.sort(key=lambda c: (STAGES.index(c.component.marks.stage), c.component.name))
    return iter(components)


def parents_of(config: Config) -> list[Parent]:
    """The earlier runs whose weights params name, as `RunStart` has them."""
    return [
        {
            "param": f"{kind.key}{f'.{choice.component.name}' if kind.many else ''}.{name}",
            "run_id": value.run_id,
            "weights_id": value.weights_id,
            "sha256": value.sha256,
        }
        for kind, choice in config.all()
        for name, value in choice.params.items()
        if isinstance(value, RunWeights)
    ]


def flatten(config: Config) -> list[ParamValue]:
    """The config as rows of the params table: dotted name, text, and number where it is one."""
    body = config.plain()
    del body["search"]  # it says which runs there are, and is recorded once a search
    if not body["evaluator"]:  # those of older runs have none either
        del body["evaluator"]
    return list(_flat("", body))


def _flat(prefix: str, node: Any) -> Iterator[ParamValue]:
    if isinstance(node, Mapping) and node:
        if prefix and "name" in node:
            # `architecture` itself says which: architecture = mlp, architecture.units = [64,64].
            yield {"name": prefix, "value": str(node["name"]), "number": None}
        elif prefix and prefix in {kind.key for kind in KINDS.values() if kind.many}:
            yield {"name": prefix, "value": f"[{','.join(node)}]", "number": None}
        for key, item in node.items():
            if not (prefix and key == "name"):
                yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
        return
    yield param_value(prefix, node)

"""The typed root config, and what a composed config means: settings, components, fingerprint.

Hydra composes; this file says which keys there are (`Settings`), hands Hydra the typed nodes of
every component, checks the composed whole once more against the signatures, and computes the
fingerprint from what determines the outcome.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from runner.components.decorators import Stage
from runner.components.kinds import KINDS, Kind
from runner.components.passwords import refuse_passwords
from runner.components.registry import Component, Registry, source_files
from runner.components.signature import Param, check, model_of, node_of, open_node_of, plain
from runner.components.types import RunWeights, Split
from runner.config.split import check_split
from runner.errors import ConfigError, choices
from runner.journal.records import ParamValue, Parent
from runner.system.paths import from_home

FINGERPRINT_VERSION = 1
STAGES: tuple[Stage, ...] = ("structure", "penalty")
ClassWeight = Literal["balanced"] | dict[str | int, float]


@dataclass(frozen=True)
class SplitSettings(Split):
    """Shares of the rows that are held out, and how they are drawn."""

    val: Annotated[float, Ge(0), Lt(1)] = 0.2
    test: Annotated[float, Ge(0), Lt(1)] = 0.2
    seed: Annotated[int, Ge(0)] = 0
    by: str | None = None
    folds: Annotated[int, Ge(2)] | None = None
    fold: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class SweepSettings:
    """What a --multirun may be."""

    max_jobs: Annotated[int, Gt(0)] = 100_000


@dataclass(frozen=True)
class Settings:
    """The keys of the config that are no component."""

    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    epochs: Annotated[int, Gt(0)] = 20
    batch_size: Annotated[int, Gt(0)] = 32
    class_weight: ClassWeight | None = None
    split: SplitSettings = dataclasses.field(default_factory=SplitSettings)
    monitor: str | None = None
    mode: Literal["auto", "min", "max"] = "auto"
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    deterministic: bool = False
    checkpoint: Annotated[int, Gt(0)] | None = None
    limit_batches: Annotated[int, Gt(0)] | None = None
    print_every: Annotated[int, Gt(0)] = 1
    record_steps: Annotated[int, Gt(0)] | None = None
    debug: Literal["summary", "overfit"] | None = None
    evaluate: Literal["full", "plain"] = "full"
    keep_predictions: Literal["val", "test", "both"] | None = None
    engine: str = "auto"
    strict: bool = False
    xla: Literal["auto", "always", "never"] = "auto"
    kernels: Literal["auto", "plain"] = "auto"
    device: str = "auto"
    results: str = "results"
    skip: Literal["auto", "finished", "nothing"] = "auto"
    retry: Literal["all", "failed", "lost", "nothing"] = "all"
    sweep: SweepSettings = dataclasses.field(default_factory=SweepSettings)

    @property
    def quick_kernels(self) -> bool:
        """Whether the run is to have oneDNN's kernels, where there are any."""
        return self.kernels == "auto" and not self.deterministic


ABOUT = {
    "seed": "initial weights, order of batches, random masks",
    "epochs": "how many at most",
    "batch_size": "rows a step",
    "class_weight": "balanced: all classes count the same in the loss; or {class: factor}",
    "split": "shares held out; by: null, hash, hash:, group: or time:COLUMN; folds and fold",
    "monitor": "the metric that judges a run; null: val_loss, or loss without a val split",
    "mode": "whether less or more of it is better",
    "precision": "Keras dtype policy",
    "deterministic": "TensorFlow's op determinism, on for the whole process",
    "checkpoint": "every so many epochs keep what `resume` needs; null: never",
    "limit_batches": "at most so many batches an epoch and a split",
    "print_every": "a line of losses every so many epochs",
    "record_steps": "record the training loss every so many batches of an epoch; null: never",
    "debug": "summary: print the model and stop; overfit: train on one batch",
    "evaluate": "full: judge val and test by all that the task knows; plain: by metrics alone",
    "keep_predictions": "keep the outputs for every row of val, test or both; null: none",
    "engine": "what trains: packed (many runs as one program), fast (an epoch as one), keras "
    "(model.fit); auto: packed for several runs, else fast",
    "strict": "an engine that cannot train a run is an error, not a reason to take another",
    "xla": "compile the training of packs; auto: where the work is enough to pay for it",
    "kernels": "plain: TensorFlow's own; auto: oneDNN's convolutions and pooling where quicker",
    "device": "auto, cpu, gpu or gpu:N",
    "results": "the folder for warehouse, journals and weights",
    "skip": "finished: do not train what is there already; auto: that, in a --multirun",
    "retry": "of what did not finish earlier, what skip=finished trains again",
    "sweep": "max_jobs: a --multirun of more jobs than these is refused before it is planned",
}
# These say where and how a run is trained, not what comes out.
NOT_IN_FINGERPRINT = {
    "checkpoint",
    "print_every",
    "record_steps",
    "evaluate",
    "keep_predictions",
    "engine",
    "strict",
    "xla",
    "kernels",
    "device",
    "results",
    "skip",
    "retry",
    "sweep",
}


def settings_params() -> list[Param]:
    """The root keys in the form that components' params have."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    found = []
    for field in dataclasses.fields(Settings):
        default = field.default
        if default is dataclasses.MISSING:
            made = field.default_factory
            default = Parameter.empty if made is dataclasses.MISSING else made()
        found.append(Param(field.name, hints[field.name], default))
    return found


_settings_model = functools.cache(lambda: model_of("config", settings_params()))


@functools.cache
def register(registry: Registry) -> None:
    """Give Hydra the typed nodes of the root and of every component, once a registry."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(name="settings", node=open_node_of(settings_params()))
    # What a --multirun uses by default; the classes are in runner/launchers/.
    launcher: dict[str, Any] = {"_target_": "hydra_plugins.sweephouse.PackedLauncher"}
    sweeper = {"_target_": "hydra_plugins.sweephouse.QuickSweeper"}
    store.store(group="hydra/launcher", name="packed", node=launcher)
    store.store(
        group="hydra/sweeper",
        name="quick",
        node=sweeper | {"max_batch_size": None, "params": None},
    )
    for (kind_name, name), component in registry.components.items():
        kind = KINDS[kind_name]
        constants = {} if kind.many else {"name": component.name}
        node = node_of(component.name, component.params, **constants)
        package = f"{kind.key}.{name}" if kind.many else kind.key
        store.store(group=kind.key, name=name, node=node, package=package)


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

    def one(self, kind: str) -> Choice:
        """The component of a kind that holds one."""
        return self.chosen[kind][0]

    def all(self) -> Iterator[tuple[Kind, Choice]]:
        """Every component in use with its kind."""
        for kind, choices_ in self.chosen.items():
            for choice in choices_:
                yield KINDS[kind], choice

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
    names = {field.name for field in dataclasses.fields(Settings)}
    notes = {key: value for key, value in body.items() if key not in names}
    values = {key: value for key, value in body.items() if key in names}
    settings = Settings(**check(_settings_model(), values, ""))
    check_split(settings.split)
    return Config(settings, chosen, notes)


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
    found = []
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
        found.append(Choice(component, whole))
    if kind.many and not kind.ordered:
        found.sort(key=lambda c: (STAGES.index(c.component.marks.stage), c.component.name))
    return iter(found)


def files_of(config: Config) -> list[Path]:
    """The files that params name, but for the dataset's, whose identity says what they are."""
    return [
        value
        for kind, choice in config.all()
        if kind.name not in ("dataset", "callback")
        for value in choice.params.values()
        if isinstance(value, Path) and value.is_file()
    ]


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
    return list(_flat("", config.plain()))


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
    number = float(node) if isinstance(node, int | float) else None
    text = node if isinstance(node, str) else json.dumps(node, separators=(",", ":"))
    yield {"name": prefix, "value": text, "number": number}


def fingerprint(
    config: Config, data_identity: str, contents: Mapping[Path, str] | None = None
) -> str:
    """sha256 over what determines the outcome, as hex.

    That is: the settings but engine, device and place; every component's name, params, version
    and source; and what the data are. Key order, 1 against 1.0, and paths make no difference.

    contents: what the files are that params name, by sha256; it stands for their path. An earlier
        run's weights are known by theirs.
    """
    body = config.plain()
    components = []
    for kind, choice in config.all():
        params = {k: _content(v, contents or {}) for k, v in choice.params.items()}
        if kind.name in ("dataset", "callback"):
            # Where data lie is no part of what they are, nor where a callback writes.
            places = choice.component.places
            params = {
                k: v
                for k, v in params.items()
                if not isinstance(choice.params[k], Path) and k not in places
            }
        component = choice.component
        components.append(
            [
                kind.name,
                component.name,
                params,
                component.distribution,
                component.version,
                _source_hash(component.function),
            ]
        )
    said = {
        "version": FINGERPRINT_VERSION,
        "settings": {
            field.name: body[field.name]
            for field in dataclasses.fields(Settings)
            if field.name not in NOT_IN_FINGERPRINT
        },
        "notes": config.notes,
        "components": components,
        "data": data_identity,
    }
    text = json.dumps(_integral(said), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(value: Any, contents: Mapping[Path, str]) -> Any:
    """A param's value as JSON can say it, a file's content in place of its path."""
    if isinstance(value, RunWeights):
        return f"sha256:{value.sha256}"
    if isinstance(value, Path) and value in contents:
        return f"sha256:{contents[value]}"
    return plain(value)


def _integral(value: Any) -> Any:
    """The value with 1.0 written as 1, so that equal numbers are equal text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # only the user's own keys may hold one
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _integral(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integral(item) for item in value]
    return value


@functools.cache
def _source_hash(function: Any) -> str:
    """sha256 over the source of the component's module and what it imports of its package."""
    digest = hashlib.sha256()
    for file in source_files(function):
        digest.update(file.read_bytes())
    return digest.hexdigest()

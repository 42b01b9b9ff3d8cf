"""Faults of a preset of one's own, told by file and line.

Hydra merges whatever a file holds, and what does not fit ends in riddles, or is kept as if it had
been meant. So a file is read here first, with the rules that the command line has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from runner.components.kinds import KINDS, Kind
from runner.components.registry import Component, load
from runner.components.signature import Param, check, model_of
from runner.config.folders import CONFIG_MODULE, presets
from runner.config.settings import settings_params
from runner.config.words import is_mistaken
from runner.config.yaml_file import Node, YamlFile, plain
from runner.errors import ConfigError, choices

HEADER = "# @package _global_"
KINDS_BY_KEY = {kind.key: kind for kind in KINDS.values()}


def check_presets(folder: Path, names: Sequence[str], given: Sequence[str]) -> None:
    """Raise ConfigError for the first thing that is wrong in one of the presets.

    folder: the user's own; others are not looked at. given: the keys that the command line sets.
    """
    for name in names:
        file = _file(folder, name)
        if name in presets() and file.is_file():
            if file.samefile(str(files(CONFIG_MODULE) / "experiment" / file.name)):
                continue
            raise ConfigError(f"{file} has the name of a preset of the runner's: rename it")
        if file.is_file():
            _Preset(file, given).check()
        elif other := next(file.parent.glob(f"{name}.[yY]*"), None):
            raise ConfigError(f"{other} is no preset: its name must end in .yaml")


def check_root(folder: Path, name: str) -> None:
    """Raise ConfigError for a key that is none in a root config of the user's own (-cn)."""
    file = folder / f"{name.removesuffix('.yaml')}.yaml"
    if file.is_file():
        _Preset(file, ()).check_keys()


def _file(folder: Path, name: str) -> Path:
    return folder / "experiment" / f"{name.removesuffix('.yaml')}.yaml"


class _Preset(YamlFile):
    """One file, as it is read."""

    def __init__(self, file: Path, given: Sequence[str], above: Sequence[Path] = ()) -> None:
        """given: the keys that the command line sets. above: the presets that stand on it."""
        super().__init__(file)
        self._given, self._above = set(given), [*above, file]
        self._chosen = dict(_shipped_choices())

    def check_keys(self) -> None:
        """Raise ConfigError for a key at the root that is none."""
        for key, _ in self.pairs(self.root()):
            if key.value not in ("defaults", "hydra", *KINDS_BY_KEY):
                self._param(key)

    def check(self) -> None:
        """Raise ConfigError for the first thing that is wrong."""
        root = self.root()
        self._refuse_another_package()
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            line = self.text.splitlines()[root.start_mark.line].strip()
            raise self.error(root, f"'{line}' is no `key: value`, such as `epochs: 3`")
        for key, node in self.pairs(root):
            if key.value == "defaults":
                self._check_defaults(node)
        for key, node in self.pairs(root):
            if key.value not in ("defaults", "hydra"):
                self._check_root(key, node)

    def _refuse_another_package(self) -> None:
        """Elsewhere than at the root, nothing that a preset says has any effect."""
        for line in filter(None, map(str.strip, self.text.splitlines())):
            if re.fullmatch(r"#+\s*@package\s+_global_", line):
                return
            if not re.match(r"#\s*@", line):  # where Hydra looks no further
                break
        raise self.error(0, f"a preset begins with the line `{HEADER}`")

    def _check_defaults(self, node: Node) -> None:
        """A list of `override /kind: name`, and of other presets."""
        example = "such as `- override /dataset: iris`"
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"defaults are a list, {example}")
        overrides = False
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                if overrides and item.value != "_self_":
                    raise self.error(item, f"`- {item.value}` must stand before the overrides")
                if " " in item.value or "=" in item.value:
                    raise self.error(item, f"'{item.value}' is no entry of defaults, {example}")
                if item.value != "_self_":
                    self._check_other(item)
                continue
            overrides = True
            [(key, value)] = list(self.pairs(item))[:1] or [(item, None)]
            group = re.sub(r"^(override\s+)?(optional\s+)?/?", "", str(key.value))
            if group.startswith("hydra/") or self._own(group).is_dir():
                continue
            if group not in KINDS_BY_KEY:
                reason = f"there is no group '{group}': {choices(group, KINDS_BY_KEY)}"
                raise self.error(key, reason)
            names = plain(value)
            if re.sub(r"\s+", " ", str(key.value)) != f"override /{group}":
                reason = f"write `- override /{group}: {_shown(names)}`"
                raise self.error(key, f"'{key.value}' does not choose what is in use; {reason}")
            self._check_names(KINDS_BY_KEY[group], value, names)

    def _own(self, group: str) -> Path:
        """Where a group of the user's own would lie."""
        return self.file.parent.parent / group

    def _check_other(self, item: Node) -> None:
        """Another preset, on which this one stands."""
        file = self.file.with_name(f"{item.value}.yaml")
        if file.is_file():
            if file in self._above:
                raise self.error(item, f"the preset '{item.value}' stands on itself")
            other = _Preset(file, [*self._given], self._above)
            other.check()
            self._chosen |= other._chosen
        elif item.value not in presets() and not item.value.startswith("/"):
            have = [*presets(), *(one.stem for one in self.file.parent.glob("*.yaml"))]
            raise self.error(
                item, f"there is no preset '{item.value}': {choices(item.value, have)}"
            )

    def _check_names(self, kind: Kind, node: Node, names: Any) -> None:
        """The component or components that are chosen of a kind."""
        several = [] if names is None else [names] if isinstance(names, str) else names
        if not isinstance(several, list) or not (kind.many or isinstance(names, str | None)):
            takes = "a list of names" if kind.many else "one name"
            raise self.error(node, f"{kind.key} takes {takes}, not {_shown(names)}")
        for name in several:
            try:
                load().find(kind.name, str(name))
            except ConfigError as error:
                raise self.error(node, str(error)) from error
        self._chosen[kind.key] = [str(name) for name in several]

    def _check_root(self, key: Node, node: Node) -> None:
        if kind := KINDS_BY_KEY.get(str(key.value)):
            self._check_kind(kind, key, node)
        elif param := self._param(key):
            self._check_value(param, param.name, key, node)

    def _param(self, key: Node) -> Param | None:
        """The setting that a key at the root is; None for one to which other values refer."""
        name = str(key.value)
        by_name = {param.name: param for param in settings_params()}
        if name in by_name or re.search(rf"\$\{{{re.escape(name)}\}}", self.text):
            return by_name.get(name)
        head, _, rest = name.partition(".")
        if rest and head in {*KINDS_BY_KEY, *by_name}:
            raise self.error(key, f"'{name}' is no key: write `{rest}:` below `{head}:`")
        have = [*by_name, *KINDS_BY_KEY]
        raise self.error(key, f"there is no key '{name}': {choices(name, have)}")

    def _check_kind(self, kind: Kind, key: Node, node: Node) -> None:
        """The params of a kind's component, or of its components by name."""
        is_map = isinstance(node, yaml.MappingNode)
        pairs = list(self.pairs(node)) if is_map else []
        if not is_map or (not kind.many and any(key.value == "name" for key, _ in pairs)):
            name = plain(node)["name"] if is_map else plain(node)
            reason = f"in `defaults:`, `- override /{kind.key}: {_shown(name)}`"
            raise self.error(key, f"what {kind.key} is in use is said {reason}")
        if not kind.many:
            name = (self._chosen.get(kind.key) or [""])[0]
            if self._own(kind.key).is_dir():
                return None  # its files may choose a component themselves
            return self._check_params(kind, name, kind.key, pairs)
        for name_node, params in pairs:
            name = str(name_node.value)
            place = f"{kind.key}.{name}"
            try:
                load().find(kind.name, name)
            except ConfigError as error:
                raise self.error(name_node, str(error)) from error
            in_use = self._chosen.get(kind.key, [])
            if name not in in_use and kind.key not in self._given:
                reason = f"`- override /{kind.key}: {_shown([*in_use, name])}`"
                raise self.error(name_node, f"{place} is not in use; add it, {reason}")
            if not isinstance(params, yaml.MappingNode):
                raise self.error(name_node, f"{place} holds params, `{place}: {{param: value}}`")
            self._check_params(kind, name, place, list(self.pairs(params)))
        return None

    def _check_params(
        self, kind: Kind, name: str, place: str, pairs: Sequence[tuple[Node, Node]]
    ) -> None:
        component = load().find(kind.name, name)
        # The command line may choose another, of which as much must be right.
        others = [] if kind.many or kind.key not in self._given else load().of_kind(kind.name)
        for key, node in pairs:
            param = next(_params_called(str(key.value), [component, *others]), None)
            if param is None:
                have = [param.name for param in component.params]
                reason = f"has no param '{key.value}': {choices(str(key.value), have)}"
                who = place if kind.many else f"{kind.name} '{component.name}'"
                raise self.error(key, f"{who} {reason}")
            self._check_value(param, f"{place}.{key.value}", key, node)

    def _check_value(self, param: Param, place: str, key: Node, node: Node) -> None:
        """The value of a key; what refers to others is known only when all is composed."""
        value = plain(node)
        if "${" in str(value) or value == "???":
            try:
                OmegaConf.create([value])
            except OmegaConfBaseException as error:
                reason = f"'{value}' refers to nothing: a reference is ${{key}}"
                raise self.error(key, reason) from error
            return
        if isinstance(node, yaml.ScalarNode) and is_mistaken(place, value):
            kind = "a flag" if isinstance(value, bool) else "a number"
            reason = f"write `{key.value}: '{node.value}'`"
            raise self.error(key, f"{place}: {node.value} is {kind} to YAML; {reason}")
        for name, _ in self.pairs(node):
            if name.tag == "tag:yaml.org,2002:bool":
                reason = f"write `'{name.value}':`"
                raise self.error(name, f"{place}: {name.value} is a flag to YAML; {reason}")
        try:
            check(model_of(place, [param]), {param.name: value}, place.rpartition(".")[0])
        except ConfigError as error:
            raise self.error(key, str(error)) from error


def _params_called(name: str, components: Sequence[Component]) -> Iterator[Param]:
    for component in components:
        yield from (param for param in component.params if param.name == name)


def _shipped_choices() -> Iterator[tuple[str, list[str]]]:
    """The components that the default experiment chooses, by kind."""
    text = (files(CONFIG_MODULE) / "config.yaml").read_text(encoding="utf-8")
    for entry in yaml.load(text, Loader=get_yaml_loader())["defaults"]:
        if isinstance(entry, Mapping):
            [(key, value)] = entry.items()
            yield str(key), value if isinstance(value, list) else [str(value)]


def _shown(value: Any) -> str:
    """A value as one writes it in YAML, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)

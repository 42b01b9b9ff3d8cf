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

from runner.components.kinds import KINDS, Kind
from runner.components.registry import Component, load
from runner.components.signature import Param, check, model_of
from runner.config.folders import CONFIG_MODULE, presets
from runner.config.settings import settings_params
from runner.config.words import is_mistaken
from runner.errors import ConfigError, choices

HEADER = "# @package _global_"
KINDS_BY_KEY = {kind.key: kind for kind in KINDS.values()}
Node = Any


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


def _file(folder: Path, name: str) -> Path:
    return folder / "experiment" / f"{name}.yaml"


class _Preset:
    """One file, as it is read."""

    def __init__(self, file: Path, given: Sequence[str]) -> None:
        self._file, self._given = file, set(given)
        try:
            self._text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, ValueError) else error.strerror
            raise ConfigError(f"{file} cannot be read: {reason}") from error
        self._chosen = dict(_shipped_choices())

    def check(self) -> None:
        """Raise ConfigError for the first thing that is wrong."""
        try:
            root = yaml.compose(self._text, Loader=get_yaml_loader())
        except yaml.MarkedYAMLError as error:
            raise self._error(error.problem_mark.line, _problem(error)) from error
        self._refuse_another_package()
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            line = self._text.splitlines()[root.start_mark.line].strip()
            raise self._error(root, f"'{line}' is no `key: value`, such as `epochs: 3`")
        for key, node in self._pairs(root):
            if key.value == "defaults":
                self._check_defaults(node)
        for key, node in self._pairs(root):
            if key.value not in ("defaults", "hydra"):
                self._check_root(key, node)

    def _refuse_another_package(self) -> None:
        """Elsewhere than at the root, nothing that a preset says has any effect."""
        lines = self._text.splitlines()
        comments = [line for line in lines if not line.strip() or line.lstrip().startswith("#")]
        head = lines[: next((i for i, line in enumerate(lines) if line not in comments), None)]
        if not any(re.match(r"\s*#\s*@package\s+_global_\s*$", line) for line in head):
            raise self._error(0, f"a preset begins with the line `{HEADER}`")

    def _check_defaults(self, node: Node) -> None:
        """A list of `override /kind: name`, and of other presets."""
        example = "such as `- override /dataset: iris`"
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, f"defaults are a list, {example}")
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                if " " in item.value or "=" in item.value:
                    raise self._error(item, f"'{item.value}' is no entry of defaults, {example}")
                if item.value != "_self_":
                    self._check_other(item)
                continue
            [(key, value)] = list(self._pairs(item))[:1] or [(item, None)]
            group = re.sub(r"^(override\s+)?(optional\s+)?/?", "", str(key.value))
            if group.startswith("hydra/") or self._own(group).is_dir():
                continue
            if group not in KINDS_BY_KEY:
                reason = f"there is no group '{group}': {choices(group, KINDS_BY_KEY)}"
                raise self._error(key, reason)
            names = _plain(value)
            if re.sub(r"\s+", " ", str(key.value)) != f"override /{group}":
                reason = f"write `- override /{group}: {_shown(names)}`"
                raise self._error(key, f"'{key.value}' does not choose what is in use; {reason}")
            self._check_names(KINDS_BY_KEY[group], value, names)

    def _own(self, group: str) -> Path:
        """Where a group of the user's own would lie."""
        return self._file.parent.parent / group

    def _check_other(self, item: Node) -> None:
        """Another preset, on which this one stands."""
        file = self._file.with_name(f"{item.value}.yaml")
        if file.is_file():
            other = _Preset(file, [*self._given])
            other.check()
            self._chosen |= other._chosen
        elif item.value not in presets() and not item.value.startswith("/"):
            have = [*presets(), *(one.stem for one in self._file.parent.glob("*.yaml"))]
            raise self._error(
                item, f"there is no preset '{item.value}': {choices(item.value, have)}"
            )

    def _check_names(self, kind: Kind, node: Node, names: Any) -> None:
        """The component or components that are chosen of a kind."""
        several = [names] if isinstance(names, str) else names
        if not isinstance(several, list) or not (kind.many or isinstance(names, str)):
            takes = "a list of names" if kind.many else "one name"
            raise self._error(node, f"{kind.key} takes {takes}, not {_shown(names)}")
        for name in several:
            try:
                load().find(kind.name, str(name))
            except ConfigError as error:
                raise self._error(node, str(error)) from error
        self._chosen[kind.key] = [str(name) for name in several]

    def _check_root(self, key: Node, node: Node) -> None:
        name = str(key.value)
        if kind := KINDS_BY_KEY.get(name):
            return self._check_kind(kind, key, node)
        param = next((param for param in settings_params() if param.name == name), None)
        if param is not None:
            return self._check_value(param, name, key, node)
        if re.search(rf"\$\{{{re.escape(name)}\}}", self._text):
            return None  # a number of the user's own, to which other values refer
        head, _, rest = name.partition(".")
        if rest and head in {*KINDS_BY_KEY, *(p.name for p in settings_params())}:
            raise self._error(key, f"'{name}' is no key: write `{rest}:` below `{head}:`")
        names = [*(param.name for param in settings_params()), *KINDS_BY_KEY]
        raise self._error(key, f"there is no key '{name}': {choices(name, names)}")

    def _check_kind(self, kind: Kind, key: Node, node: Node) -> None:
        """The params of a kind's component, or of its components by name."""
        is_map = isinstance(node, yaml.MappingNode)
        pairs = list(self._pairs(node)) if is_map else []
        if not is_map or (not kind.many and any(key.value == "name" for key, _ in pairs)):
            name = _plain(node)["name"] if is_map else _plain(node)
            reason = f"in `defaults:`, `- override /{kind.key}: {_shown(name)}`"
            raise self._error(key, f"what {kind.key} is in use is said {reason}")
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
                raise self._error(name_node, str(error)) from error
            in_use = self._chosen.get(kind.key, [])
            if name not in in_use and kind.key not in self._given:
                reason = f"`- override /{kind.key}: {_shown([*in_use, name])}`"
                raise self._error(name_node, f"{place} is not in use; add it, {reason}")
            if not isinstance(params, yaml.MappingNode):
                raise self._error(name_node, f"{place} holds params, `{place}: {{param: value}}`")
            self._check_params(kind, name, place, list(self._pairs(params)))
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
                raise self._error(key, f"{who} {reason}")
            self._check_value(param, f"{place}.{key.value}", key, node)

    def _check_value(self, param: Param, place: str, key: Node, node: Node) -> None:
        """The value of a key; what refers to others is known only when all is composed."""
        value = _plain(node)
        if "${" in str(value) or value == "???":
            return
        if isinstance(node, yaml.ScalarNode) and is_mistaken(place, value):
            kind = "a flag" if isinstance(value, bool) else "a number"
            reason = f"write `{key.value}: '{node.value}'`"
            raise self._error(key, f"{place}: {node.value} is {kind} to YAML; {reason}")
        try:
            check(model_of(place, [param]), {param.name: value}, place.rpartition(".")[0])
        except ConfigError as error:
            raise self._error(key, str(error)) from error

    def _pairs(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """The keys and values of a mapping; ConfigError where a key comes twice."""
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise self._error(key, f"the key '{key.value}' comes twice")
            seen.add(key.value)
            yield key, value

    def _error(self, place: Any, reason: str) -> ConfigError:
        """place: a node, or the number of a line counted from 0."""
        line = place if isinstance(place, int) else place.start_mark.line
        return ConfigError(f"{self._file}, line {line + 1}: {reason}")


def _params_called(name: str, components: Sequence[Component]) -> Iterator[Param]:
    for component in components:
        yield from (param for param in component.params if param.name == name)


def _problem(error: yaml.MarkedYAMLError) -> str:
    """YAML's complaint in words that say what to do."""
    if "'\\t'" in str(error.problem):
        return "a tab, where YAML wants spaces"
    problem = str(error.problem)
    if "mapping values are not allowed" in problem:
        return "a key stands too far to the right, or a text with `: ` in it needs quotes"
    return f"it is no YAML: {problem}"


def _shipped_choices() -> Iterator[tuple[str, list[str]]]:
    """The components that the default experiment chooses, by kind."""
    text = (files(CONFIG_MODULE) / "config.yaml").read_text(encoding="utf-8")
    for entry in yaml.load(text, Loader=get_yaml_loader())["defaults"]:
        if isinstance(entry, Mapping):
            [(key, value)] = entry.items()
            yield str(key), value if isinstance(value, list) else [str(value)]


def _plain(node: Node) -> Any:
    """The value of a node, as Hydra would load it."""
    if node is None:
        return None
    text = yaml.serialize(node)
    loaded = yaml.load(text, Loader=get_yaml_loader())
    return loaded if not OmegaConf.is_config(loaded) else OmegaConf.to_container(loaded)


def _shown(value: Any) -> str:
    """A value as one writes it in YAML, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)

"""What Hydra and OmegaConf complain of, in one sentence of ours: value, place, what is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Sweep
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError  # type: ignore[import-untyped]

from runner.components.kinds import KINDS
from runner.components.registry import load
from runner.config.settings import settings_params
from runner.errors import ConfigError, choices

CONFIG_MODULE = "runner_conf"
CONFIG_NAME = "config"
COMPLAINTS = (HydraException, OmegaConfBaseException, MarkedYAMLError)
"""What composing raises where it cannot."""


def refuse_odd_names(words: Sequence[str]) -> None:
    """Raise ConfigError for a group given what is no name; Hydra would end in a traceback.

    words: overrides, among which may be Hydra's own options.
    """
    kinds = {kind.key: kind for kind in KINDS.values()}
    for word in words:
        key, equals, _ = word.partition("=")
        if not key:
            raise ConfigError(f"{word} is not valid: an override is key=value, such as epochs=5")
        kind = kinds.get(key)
        if not equals or (kind is None and key != "experiment"):
            continue
        several = kind is not None and kind.many
        if not all(_names(value, several) for value in _values(word)):
            have = [c.name for c in load().of_kind(kind.name)] if kind else _presets()
            raise ConfigError(
                f"{word} is not valid: {key} takes {'names' if several else 'one name'}, "
                f"{choices('', have)}"
            )


def _values(word: str) -> list[Any]:
    """What an override gives its key, or in a sweep all that it gives."""
    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException as error:
        raise explain(error) from error
    return value.list if isinstance(value, ChoiceSweep) else [value]


def _names(value: Any, several: bool) -> bool:
    """Whether a group may be given this; a dict is for its params, a glob for its names."""
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value) and (several or len(value) == 1)
    return isinstance(value, str | dict | Glob | Sweep)


def explain(error: Exception) -> ConfigError:
    """One sentence for what Hydra or OmegaConf says: the value, the place, what would be right."""
    if isinstance(error, MarkedYAMLError):  # its own words show the lines around
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark else "a file of the config"
        return ConfigError(f"{where}: {error.problem}")
    text = str(error)
    if found := re.search(r"Could not (?:find|load) '(?:(.+)/)?([^/']+)'", text):
        return _unknown_choice(found[1] or "", found[2], text)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice("", error.missing_cfg_file, text)
    cause = error.__cause__
    if (found := re.match(r"Could not override '(.+?)'", text)) and cause:
        return _unknown_key(found[1], _first_line(cause))
    if (found := re.match(r"Error merging override (.+?)=(.*)", text, re.S)) and cause:
        return ConfigError(f"{found[1]}={found[2]} is not valid: {_first_line(cause)}")
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"{error.override} is not valid ({_first_line(error)}): "
            "an override is key=value, such as epochs=5 (try --help)"
        )
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return ConfigError(f"{error.full_key} is not valid: {_first_line(error)}")
    return ConfigError(_first_line(error))


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _unknown_choice(group: str, name: str, text: str) -> ConfigError:
    """The sentence for a component, a preset or another group's option that is not there."""
    kind = next((kind for kind in KINDS.values() if kind.key == group), None)
    if kind is not None:
        try:
            load().find(kind.name, name)
        except ConfigError as error:
            return error
    have = re.findall(r"^\t([^\s=]+)$", text, re.M)
    if not group:
        return ConfigError(
            f"there is no config '{name}' (--config-name): give '{CONFIG_NAME}', or one of "
            "your own with --config-dir"
        )
    if group == "experiment" and not have:
        have = _presets()
    return ConfigError(f"there is no {group} '{name}' ({group}={name}): {choices(name, have)}")


def _presets() -> list[str]:
    """The experiments that come with the runner."""
    from importlib.resources import files

    shipped = files(CONFIG_MODULE) / "experiment"
    return [p.name.removesuffix(".yaml") for p in shipped.iterdir() if p.name.endswith(".yaml")]


def _unknown_key(key: str, reason: str) -> ConfigError:
    """The sentence for an override of something that the config does not have.

    reason: OmegaConf's own words, which name the component: `Key 'widht' not in 'mlp'`.
    """
    head, _, rest = key.partition(".")
    kinds = {kind.key: kind for kind in KINDS.values()}
    if key in kinds:
        return ConfigError(f"{key}: {reason}")
    if not rest:
        keys = [param.name for param in settings_params()]
        return ConfigError(f"there is no key '{key}': {choices(key, [*keys, *kinds])}")
    kind = kinds.get(head)
    if kind is not None and kind.many:
        name, _, param = rest.partition(".")
        try:
            component = load().find(kind.name, name)
        except ConfigError as error:
            return error
        if param not in {p.name for p in component.params}:
            have = [p.name for p in component.params]
            return ConfigError(f"{head}.{name} has no param '{param}': {choices(param, have)}")
        return ConfigError(f"{key}: {name} is not in use; add it with {head}=[{name}]")
    named = re.search(r"not in '(\w+)'", reason)
    if kind is not None and named is not None:
        component = load().find(kind.name, named[1])
        have = [p.name for p in component.params]
        return ConfigError(
            f"{kind.name} '{named[1]}' has no param '{rest}': {choices(rest, have)}"
        )
    default = next((p.default for p in settings_params() if p.name == head), None)
    have = list(getattr(default, "__dataclass_fields__", {}))
    if not have:
        return ConfigError(f"{head} has no key '{rest}'")
    return ConfigError(f"{head} has no key '{rest}': {choices(rest, have)}")

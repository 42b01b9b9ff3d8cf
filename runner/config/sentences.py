"""Complaints of Hydra and OmegaConf in one sentence of ours: value, place, what is right."""

from __future__ import annotations

import re

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError  # type: ignore[import-untyped]

from runner.components.kinds import KINDS
from runner.components.registry import load
from runner.config.folders import CONFIG_NAME, presets
from runner.config.settings import NAMES, settings_params
from runner.errors import ConfigError, choices, in_one_line

COMPLAINTS = (HydraException, OmegaConfBaseException, MarkedYAMLError)
"""The errors that composing raises."""


def explain(error: Exception) -> ConfigError:
    """One sentence for what Hydra or OmegaConf says: the value, the place, what would be right."""
    if isinstance(error, MarkedYAMLError):  # its own words show the lines around
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark else "a file of the config"
        return ConfigError(f"{where}: {error.problem}")
    if not isinstance(error, COMPLAINTS):  # what Python says of it: see `is_complaint`
        return ConfigError(f"Hydra cannot do that: {in_one_line(error)}")
    text = str(error)
    if not text and error.__cause__ is not None:
        return ConfigError(_first_line(error.__cause__))
    if named := re.search(r"Could not (?:find|load) '(?:(.+)/)?([^/']+)'", text):
        return _unknown_choice(named[1] or "", named[2], text)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice("", error.missing_cfg_file, text)
    if named := re.search(r"Could not delete from config\. '(.+?)' does not exist", text):
        return ConfigError(f"~{named[1]} is not valid: a key '{named[1]}' does not exist")
    if named := re.search(r"Could not append to config\. An item is already at '(.+?)'", text):
        return ConfigError(f"+{named[1]} is not valid: {named[1]} is there already and needs no +")
    cause = error.__cause__
    if (named := re.match(r"Could not override '(.+?)'", text)) and cause:
        return _unknown_key(named[1], _first_line(cause))
    if (given := re.match(r"Error merging override (.+?)=(.*)", text, re.S)) and cause:
        head, _, rest = given[1].partition(".")
        if rest and head in NAMES and "." not in rest and "'dict'" in str(cause):
            return ConfigError(f"{head} has no keys of its own: type {head}=<value>")
        return ConfigError(f"{given[1]}={given[2]} is not valid: {_first_line(cause)}")
    if "raised while composing config:" in text:
        where, _, rest = text.partition(": ")
        lines = rest.splitlines()
        keys = re.findall(r"full_key: (\S+)", rest)
        reason = f"{keys[0]} is not valid: {lines[1]}" if keys else lines[-1]
        return ConfigError(f"{reason} ({where[0].lower()}{where[1:]})")
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"{error.override} is not valid ({_first_line(error)}): "
            "an override is key=value, such as epochs=5 (try --help)"
        )
    if isinstance(error, OmegaConfBaseException) and "Recursive interpolation" in text:
        return ConfigError(
            f"{error.full_key} refers to itself, at once or by way of other keys: give one of "
            "them a value"
        )
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return ConfigError(f"{error.full_key} is not valid: {_first_line(error)}")
    return ConfigError(_first_line(error))


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _unknown_choice(group: str, name: str, text: str) -> ConfigError:
    """The sentence for a component, a preset or another group's option that is not there."""
    if group.startswith("experiment/"):
        group, name = "experiment", f"{group.removeprefix('experiment/')}/{name}"
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
        have = presets()
    return ConfigError(f"there is no {group} '{name}' ({group}={name}): {choices(name, have)}")


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

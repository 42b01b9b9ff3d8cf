"""The jobs of a sweep as configs, composed once for each choice of components.

Hydra composes a config in about a tenth of a second, which a sweep of a thousand jobs would pay
a thousand times. What its jobs choose from groups differs far less often than the values of
their params; so what a choice means is composed once, and the values are set in a copy of it.
Whatever is not that simple is left to Hydra for each job, and so are its complaints.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from runner.components.registry import load
from runner.config.compose import experiment_name, settle
from runner.config.config import Config, config_of
from runner.errors import RunnerError

# An interpolation that is the same for every job: a variable of the environment.
ENVIRONMENT = re.compile(r"\$\{oc\.env:\w+(,[^${}]*)?\}")
PLACE = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True)
class JobConfig:
    """One job of a sweep: what was asked, and the config that it means or why it has none."""

    overrides: Sequence[str]
    experiment: str
    config: Config | RunnerError


@dataclass(frozen=True)
class _Base:
    """The config of a choice of components, before any value is set."""

    typed: DictConfig
    """Takes values and converts them as Hydra does; what it holds meanwhile means nothing."""
    body: dict[str, Any]
    experiment: str


class Composer:
    """A composer of checked configs from jobs' overrides, as Hydra's composition makes them."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        """master: the config of the sweep as a whole."""
        self._loader, self._master = loader, master
        self.folder = Path(master.hydra.runtime.cwd)
        """Where the user stands."""
        # Of a long sweep most words come once.
        self._parse = functools.lru_cache(4096)(OverridesParser.create().parse_override)
        self._is_group = functools.cache(self._has_options)
        self._bases: dict[tuple[str, ...], _Base | None] = {}

    def job(self, words: Sequence[str], number: int = 0) -> JobConfig:
        """The config of one job.

        words: its overrides. number: Hydra's number of the job.

        Raises what Hydra raises where the overrides cannot be composed.
        """
        quick = self._quickly(words)
        if quick is None:
            return self._whole(words, number)
        base, body = quick
        try:
            config: Config | RunnerError = config_of(body, load(), self.folder)
        except RunnerError as error:
            config = error
        return JobConfig(_asked(words), base.experiment, config)

    def _whole(self, words: Sequence[str], number: int) -> JobConfig:
        """The same by Hydra alone."""
        composed = self._loader.load_sweep_config(self._master, list(words))
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        outer = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(composed)
        try:
            folder = Path(composed.hydra.sweep.dir) / str(composed.hydra.sweep.subdir)
            with read_write(composed.hydra.runtime):
                composed.hydra.runtime.output_dir = str(folder.absolute())
            HydraConfig.instance().set_config(composed)
            experiment = experiment_name(composed.hydra.runtime.choices)
            config: Config | RunnerError = settle(_without_hydra(composed), self.folder)
        except RunnerError as error:
            config = error
        finally:
            HydraConfig.instance().cfg = outer
        return JobConfig(_asked(words), experiment, config)

    def _quickly(self, words: Sequence[str]) -> tuple[_Base, dict[str, Any]] | None:
        """The plain config by setting values in what is composed; None where Hydra must."""
        chosen, values = [], []
        try:
            for word in words:
                override = self._parse(word)
                if not _is_simple(word, override):
                    return None
                if self._is_group(override.key_or_group):
                    chosen.append(word)
                else:
                    values.append(override)
        except HydraException:
            return None
        base = self._base(tuple(chosen))
        if base is None:
            return None
        body = copy.deepcopy(base.body)
        for override in values:
            if not _set(body, base.typed, override):
                return None
        return None if _has_missing(body) else (base, body)

    def _has_options(self, group: str) -> bool:
        # The loader's own `get_group_options` copies all of its sources at every call.
        return any(source.is_group(group) for source in self._loader.get_sources())

    def _base(self, chosen: tuple[str, ...]) -> _Base | None:
        """The config of the choices; None where it depends on values that a job sets."""
        if chosen not in self._bases:
            try:
                self._bases[chosen] = self._compose(chosen)
            except (HydraException, OmegaConfBaseException):
                self._bases[chosen] = None  # the job itself says why, in Hydra's words
        return self._bases[chosen]

    def _compose(self, chosen: Sequence[str]) -> _Base | None:
        composed = self._loader.load_sweep_config(self._master, list(chosen))
        typed = _without_hydra(composed)
        if not _is_constant(OmegaConf.to_container(typed, resolve=False)):
            return None
        body = OmegaConf.to_container(typed, resolve=True, enum_to_str=True)
        assert isinstance(body, dict)
        plain = {str(key): value for key, value in body.items()}
        return _Base(typed, plain, experiment_name(composed.hydra.runtime.choices))


def _asked(words: Sequence[str]) -> list[str]:
    """The job's overrides as Hydra lists them: without Hydra's."""
    return [word for word in words if not word.lstrip("+~").startswith(("hydra.", "hydra/"))]


def _without_hydra(composed: DictConfig) -> DictConfig:
    """A copy of what is the runner's own, which takes no new keys."""
    ours = copy.copy(composed)
    with open_dict(ours):
        del ours["hydra"]
    return ours


def _is_constant(node: Any) -> bool:
    """Whether nothing in a plain tree refers to another value."""
    if isinstance(node, dict):
        return all(_is_constant(item) for item in node.values())
    if isinstance(node, list):
        return all(_is_constant(item) for item in node)
    return not isinstance(node, str) or "${" not in ENVIRONMENT.sub("", node)


def _is_simple(word: str, override: Override) -> bool:
    """Whether an override just gives a key of ours a value."""
    return (
        override.type == OverrideType.CHANGE
        and override.package is None
        and not override.is_sweep_override()
        and PLACE.fullmatch(override.key_or_group) is not None
        and not override.key_or_group.startswith("hydra.")
        and not isinstance(override.value(), dict)
        and "$" not in word
        and "???" not in word
    )


def _set(body: dict[str, Any], typed: DictConfig, override: Override) -> bool:
    """Put the override's value into a plain config; False where it has no such simple place."""
    key = override.key_or_group
    *path, last = key.split(".")
    place: Any = body
    for name in path:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place or isinstance(place[last], dict):
        return False
    try:
        OmegaConf.update(typed, key, override.value(), merge=True)
        value = OmegaConf.select(typed, key)
    except OmegaConfBaseException:
        return False
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True, enum_to_str=True)
    place[last] = value.name if isinstance(value, Enum) else value
    return True


def _has_missing(node: Any) -> bool:
    """Whether a value that has no default is still to be given."""
    if isinstance(node, dict):
        return any(_has_missing(item) for item in node.values())
    return isinstance(node, str) and node == "???"

"""Hydra's side of a run: the nodes that it composes from, and composing."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.backend.hydra_private import is_complaint, reading_by, save_only_if, share_store
from runner.components.kinds import KINDS
from runner.components.passwords import refuse_passwords
from runner.components.registry import Component, Registry, load
from runner.components.signature import node_of, open_node_of
from runner.config.config import Config, config_of
from runner.config.folders import CONFIG_MODULE, CONFIG_NAME, own_folder
from runner.config.presets import check_presets
from runner.config.sentences import COMPLAINTS, explain
from runner.config.settings import settings_params
from runner.config.typed import asked_presets, refuse_odd_words
from runner.config.words import read_override
from runner.errors import ConfigError, PasswordError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader


def register(registry: Registry) -> None:
    """Give Hydra the typed nodes of the root and of every component that it has not yet."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    _register_root()
    for (kind_name, name), component in registry.components.items():
        if kind_name not in KINDS or _REGISTERED.get((kind_name, name)) is component:
            continue  # of a search: no part of a run's config
        _REGISTERED[kind_name, name] = component
        kind = KINDS[kind_name]
        constants = {} if kind.many else {"name": component.name}
        node = node_of(component.name, component.params, **constants)
        package = f"{kind.key}.{name}" if kind.many else kind.key
        store.store(group=kind.key, name=name, node=node, package=package)


_REGISTERED: dict[tuple[str, str], Component] = {}
"""What Hydra has of each kind and name."""


@functools.cache
def _register_root() -> None:
    """Give Hydra the typed node of the root, and our plugins, once a process."""
    from hydra.core.config_store import ConfigStore

    share_store()
    store = ConfigStore.instance()
    store.store(name="settings", node=open_node_of(settings_params()))
    # What a --multirun uses by default; the classes are in runner/sweep/launching/.
    launcher: dict[str, Any] = {"_target_": "hydra_plugins.sweephouse.PackedLauncher"}
    store.store(group="hydra/launcher", name="packed", node=launcher | {"processes": "auto"})
    sweeper = {"_target_": "hydra_plugins.sweephouse.QuickSweeper"}
    on_ray: dict[str, Any] = {"_target_": "hydra_plugins.sweephouse.RayLauncher"}
    on_ray |= {"address": None, "cpus": None, "gpus": None, "pack": "auto"}
    store.store(group="hydra/launcher", name="ray", node=on_ray)
    store.store(
        group="hydra/sweeper",
        name="quick",
        node=sweeper | {"max_batch_size": None, "params": None},
    )
    searcher = {"_target_": "hydra_plugins.sweephouse.SearchSweeper"}
    store.store(group="hydra/sweeper", name="search", node=searcher)


def compose(overrides: Sequence[str]) -> tuple[Config, str]:
    """The checked config and the name of its experiment, outside of a Hydra application.

    Raises ConfigError or PluginError.
    """
    with composing(overrides) as (composed, _):
        choice = composed.hydra.runtime.choices
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        return settle(composed), experiment_name(choice)


@contextmanager
def composing(overrides: Sequence[str]) -> Iterator[tuple[DictConfig, ConfigLoader]]:
    """What Hydra composes of the overrides, its own part included, and its loader for more.

    Raises ConfigError or PluginError, also for what Hydra raises meanwhile.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    register(load())
    overrides = spelled_out(overrides)
    # The caller may be a Hydra application, whose state is none of ours.
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with (
            reading_what_is_typed(multirun=False),
            hydra.initialize_config_module(CONFIG_MODULE, version_base="1.3"),
        ):
            refuse_odd_words(overrides, multirun=False)
            folder = presets_folder(None, overrides)
            search = [f'hydra.searchpath=["file://{folder.resolve()}"]'] if folder else []
            words = [*overrides, *search]
            composed = hydra.compose(CONFIG_NAME, words, return_hydra_config=True)
            yield composed, GlobalHydra.instance().config_loader()
    except Exception as error:
        if isinstance(error, COMPLAINTS) or is_complaint(error):
            raise explain(error) from error
        raise
    finally:
        GlobalHydra.instance().hydra = outer


def settle(composed: DictConfig, base: Path | None = None) -> Config:
    """The composed config resolved and checked; ConfigError or PluginError if it is wrong.

    base: the folder where the user stands, if Hydra has changed it.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(composed))
        if missing:
            raise ConfigError(f"{missing[0]} has no default: give {missing[0]}=<value>")
        body = OmegaConf.to_container(composed, resolve=True, enum_to_str=True)
    except OmegaConfBaseException as error:
        raise explain(error) from error
    assert isinstance(body, dict)
    return config_of({str(key): value for key, value in body.items()}, load(), base)


def reading_what_is_typed(multirun: bool) -> AbstractContextManager[None]:
    """Overrides are read as people type them, meanwhile: see `runner.config.words`."""
    return reading_by(functools.partial(read_override, multirun=multirun))


def override_of(text: str) -> Override:
    """One override as it was typed; ConfigError where it is none."""
    try:
        with reading_what_is_typed(multirun=False):
            refuse_odd_words([text], multirun=True)  # who asks says itself why there is one value
            return OverridesParser.create().parse_override(text)
    except HydraException as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(f"the override {text} is not valid: {first}") from error


def presets_folder(given: str | None, overrides: Sequence[str]) -> Path | None:
    """The folder of the user's own presets, if there is one; ConfigError if one is wrong.

    given: what --config-dir says.
    """
    names = asked_presets(overrides)
    folder = own_folder(given, names)
    if folder is not None:
        check_presets(folder, names, [word.partition("=")[0] for word in overrides])
    return folder


def spelled_out(words: Sequence[str]) -> list[str]:
    """The overrides with `~regularizer` as `regularizer=[]`: Hydra cannot delete such groups."""
    several = {f"~{kind.key}": f"{kind.key}=[]" for kind in KINDS.values() if kind.many}
    return [several.get(word, word) for word in words]


def experiment_name(choices_made: Mapping[str, Any]) -> str:
    """The preset that `experiment=` chose; "default" without."""
    return choices_made.get("experiment") or "default"


def keep_no_passwords() -> None:
    """Have Hydra save no config that holds a password."""

    def holds_none(composed: DictConfig) -> bool:
        try:
            refuse_passwords(OmegaConf.to_container(composed, resolve=False), "")
        except PasswordError:
            return False  # told when the config is checked, a moment later
        return True

    save_only_if(holds_none)


def forget_config(folder: Path) -> None:
    """Remove what Hydra has written of a config that must not be kept."""
    shutil.rmtree(folder / ".hydra", ignore_errors=True)
    (folder / "multirun.yaml").unlink(missing_ok=True)

"""Names of Hydra that Hydra does not promise; seen in 1.3."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig

PLUGINS = "hydra_plugins"
"""The only package from which Hydra takes launchers and sweepers."""


def save_only_if(may_be_kept: Callable[[DictConfig], bool]) -> None:
    """Have Hydra save only configs that may be kept; it saves before anybody may look."""
    from hydra.core import utils

    save = utils._save_config

    def save_if(cfg: DictConfig, filename: str, output_dir: Path) -> None:
        if may_be_kept(cfg):
            save(cfg, filename, output_dir)

    if save.__module__ == utils.__name__:
        utils._save_config = save_if


def share_store() -> None:
    """Have the copies that Hydra makes of its config sources share its ConfigStore.

    It copies them for each composition, to be free to change which there are, and with them the
    typed node of every component: nearly half of the time. The store itself copies what it gives.
    """
    from hydra._internal.core_plugins.structured_config_source import StructuredConfigSource

    StructuredConfigSource.__deepcopy__ = _itself  # type: ignore[attr-defined]


def _itself(source: Any, memo: dict[int, Any]) -> Any:
    return source


def offer_plugins(module_name: str, classes: tuple[type, ...]) -> None:
    """Make launchers and sweepers of ours known to Hydra, for this process alone.

    In every Hydra application around it Hydra imports and executes whatever it finds in its
    package, some modules twice; so ours are put there, rather than installed.

    module_name: the module below `hydra_plugins` that they are to name as their own.
    """
    from hydra.core.plugins import Plugins

    try:
        package = importlib.import_module(PLUGINS)
    except ImportError:  # no plugin of Hydra is installed
        package = sys.modules[PLUGINS] = ModuleType(PLUGINS)
        package.__path__ = []
    module = ModuleType(f"{PLUGINS}.{module_name}")
    for plugin in classes:
        plugin.__module__ = module.__name__
        setattr(module, plugin.__name__, plugin)
        Plugins.instance().register(plugin)
    setattr(package, module_name, module)


def offer_launcher(name: str, load: Callable[[], Any]) -> None:
    """Make `hydra/launcher=NAME` known to Hydra.

    load: gives its class, and is called when Hydra is about to make one.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.plugins.launcher import Launcher

    def make(cls: type, **params: Any) -> Any:
        return load()(**params)

    called = "Launcher_" + re.sub(r"\W", "_", name)
    methods = dict.fromkeys(("setup", "launch"), lambda self, *_, **__: None)
    stand_in = type(called, (Launcher,), {**methods, "__new__": make})
    module = f"sweephouse_{called.lower()}"
    offer_plugins(module, (stand_in,))
    node = {"_target_": f"{PLUGINS}.{module}.{called}"}
    ConfigStore.instance().store(group="hydra/launcher", name=name, node=node)


def is_complaint(error: BaseException) -> bool:
    """Whether Hydra itself has raised this of what it was told, before it called any of ours.

    For much that can be typed it has no error of its own: `hydra=null` is a ValueError there, a
    launcher that is none a RuntimeError.
    """
    rooms = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    tops = [room.partition(".")[0] for room in rooms]
    if "hydra" not in tops:
        return False
    return not {"runner", "warehouse", PLUGINS} & set(tops[tops.index("hydra") :])


@contextlib.contextmanager
def reading_by(read: Callable[[str, Callable[[str], Override]], Override]) -> Iterator[None]:
    """Have Hydra read the overrides of a command line, and of its jobs, by this.

    read: takes a word and Hydra's own parser, which raises HydraException and nothing else.
    """
    usual = OverridesParser.parse_rule

    def parse_rule(self: OverridesParser, text: str, rule: str) -> Any:
        if rule != "override":
            return usual(self, text, rule)

        def parse(word: str) -> Override:
            try:
                override: Override = usual(self, word, rule)
            except RecursionError:
                raise HydraException("its brackets are nested too deep") from None
            except ValueError as error:  # of Python: a whole number of more than 4300 digits
                raise HydraException(str(error).partition(";")[0]) from None
            return override

        return read(text, parse)

    OverridesParser.parse_rule = parse_rule  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        OverridesParser.parse_rule = usual  # type: ignore[method-assign]


def separate(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Hydra's options with their values, the overrides, and what looks like an option and is none.

    Hydra itself does not understand options between overrides.
    """
    actions = _option_parser()._option_string_actions
    options, overrides, unknown = [], [], []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        name, equals, _ = word.partition("=")
        action = actions.get(name)
        if action is None:
            unknown.append(word)
            continue
        options.append(word)
        takes_next = action.nargs is None or bool(rest and rest[0] in (action.choices or ()))
        if rest and not equals and takes_next:
            options.append(rest.pop(0))
    return options, overrides, unknown


def complaint_about(options: Sequence[str]) -> str:
    """Hydra's complaint about its options, in argparse's words; empty if there is none."""
    parser = _option_parser()
    # Its version action prints and exits, which it does in Hydra's hands.
    given = [option for option in options if option != "--version"]
    try:
        parser.parse_args(given)
    except argparse.ArgumentError as error:
        return str(error)
    return ""


def option_names() -> list[str]:
    """Hydra's options, as they are written in full."""
    return [name for name in _option_parser()._option_string_actions if name.startswith("--")]


@functools.cache
def _option_parser() -> argparse.ArgumentParser:
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.exit_on_error = False
    return parser

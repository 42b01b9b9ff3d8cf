"""What the runner uses of Hydra that Hydra does not promise; seen in 1.3."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

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

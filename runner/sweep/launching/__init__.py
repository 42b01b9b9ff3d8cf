"""How the jobs of a --multirun are handed to the engines: our plugins of Hydra.

Hydra takes launchers and sweepers only from a package called `hydra_plugins`. In every Hydra
application around it imports and executes whatever it finds there, some modules twice; so ours
are put there by `install`, for our own command alone.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

NAMESPACE = "hydra_plugins.sweephouse"
"""The module that our classes are made to name as their own, and where Hydra finds them."""


def install() -> None:
    """Make `hydra/launcher=packed` and `hydra/sweeper=quick` known to Hydra."""
    from hydra.core.plugins import Plugins

    # Hydra executes its own plugins anew here: what is derived from them comes after.
    plugins = Plugins.instance()
    from runner.sweep.launching.packed import PackedLauncher
    from runner.sweep.launching.quick import QuickSweeper

    try:
        package = importlib.import_module("hydra_plugins")
    except ImportError:  # no plugin of Hydra is installed
        package = sys.modules["hydra_plugins"] = ModuleType("hydra_plugins")
        package.__path__ = []
    module = ModuleType(NAMESPACE)
    for ours in (PackedLauncher, QuickSweeper):
        ours.__module__ = NAMESPACE
        setattr(module, ours.__name__, ours)
        plugins.register(ours)
    setattr(package, NAMESPACE.rpartition(".")[2], module)

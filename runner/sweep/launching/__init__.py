"""Our plugins of Hydra: they hand the jobs of a --multirun to the engines."""

from __future__ import annotations

from runner.backend.hydra_private import offer_plugins


def install() -> None:
    """Make `hydra/launcher=packed`, `hydra/sweeper=quick` and `=search` known to Hydra."""
    from hydra.core.plugins import Plugins

    Plugins.instance()  # executes its own plugins anew: what is derived from them comes after
    from runner.sweep.launching.packed import PackedLauncher
    from runner.sweep.launching.quick import QuickSweeper
    from runner.sweep.launching.search import SearchSweeper

    offer_plugins("sweephouse", (PackedLauncher, QuickSweeper, SearchSweeper))

"""Our plugins of Hydra: they hand the jobs of a --multirun to the engines."""

from __future__ import annotations

from runner.backend.hydra_private import offer_launcher, offer_plugins
from runner.system import extensions

OURS = ("packed", "basic", "ray", "submitit")
"""Launchers whose names a package's does not take."""


def install() -> None:
    """Make our launchers and sweepers known to Hydra: `hydra/launcher=packed`, and its kin.

    So are the launchers of packages, each of which is imported when it is to launch.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    Plugins.instance()  # executes its own plugins anew: what is derived from them comes after
    from runner.sweep.launching.packed import PackedLauncher
    from runner.sweep.launching.quick import QuickSweeper
    from runner.sweep.launching.ray import RayLauncher
    from runner.sweep.launching.search import SearchSweeper
    from runner.sweep.launching.submitit import SubmititLauncher, SubmititSettings

    launchers = PackedLauncher, RayLauncher, SubmititLauncher
    offer_plugins("sweephouse", (*launchers, QuickSweeper, SearchSweeper))
    ConfigStore.instance().store(group="hydra/launcher", name="submitit", node=SubmititSettings)
    for name, launcher in extensions.extensions(extensions.LAUNCHERS, OURS).items():
        offer_launcher(name, launcher.load)

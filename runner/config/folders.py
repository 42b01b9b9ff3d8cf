"""Where configs lie: the runner's own, and presets of the user's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from runner.errors import ConfigError

CONFIG_MODULE = "runner_conf"
CONFIG_NAME = "config"
FOLDER = "SWEEPHOUSE_CONF"
"""Environment variable: the folder of one's own presets, as --config-dir names it."""


def presets() -> list[str]:
    """The experiments that come with the runner."""
    shipped = files(CONFIG_MODULE) / "experiment"
    return [p.name.removesuffix(".yaml") for p in shipped.iterdir() if p.name.endswith(".yaml")]


def own_presets() -> list[str]:
    """The user's own that a command here would find, without --config-dir."""
    folder = Path(os.environ.get(FOLDER) or "conf").expanduser()
    inner = folder / "experiment"
    names = {file.relative_to(inner).with_suffix("").as_posix() for file in inner.rglob("*.yaml")}
    return sorted(names - {*presets()})


def own_folder(given: str | None, names: Sequence[str]) -> Path | None:
    """The folder that holds presets of the user's own: named, in the environment, or `conf`.

    given: what --config-dir says. names: the presets that are asked for; a folder `conf` where
        the user stands counts if one of them does not come with the runner.

    Raises ConfigError where the environment names no folder.
    """
    if given is not None:
        return Path(given)
    if named := os.environ.get(FOLDER):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise ConfigError(f"{FOLDER}={named} is no folder: name the one that has experiment/")
        return folder
    asked_for_own = set(names) - set(presets())
    here = Path("conf")
    return here if asked_for_own and any((here / "experiment").rglob("*.y*ml")) else None

"""Notice when the code that runs is not the code that is installed, and say so."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
import warnings
from pathlib import Path

PACKAGES = {"runner": "runner", "warehouse": "warehouse", "runner_plugins": "plugins"}
"""Import name -> folder in a checkout."""


def warn_of_another_copy() -> None:
    """Warn if the folder where the user stands holds a checkout other than what is in use.

    `python -m runner` in a checkout takes `runner` from there, but the built-in plugins from
    where they are installed; a console script takes all from there. Either may surprise.
    """
    here = Path.cwd()
    for name, folder in PACKAGES.items():
        spec = importlib.util.find_spec(name)
        local = here / folder
        if spec is None or spec.origin is None or not _is_checkout(here):
            return
        used = Path(spec.origin).parent
        if used.resolve() != local.resolve() and _digest(used) != _digest(local):
            warnings.warn(
                f"{local} differs from the installed {used}, which is in use: "
                "run `pip install -e .` to use the checkout",
                stacklevel=2,
            )
            return
    installed = _installed_runner()
    used = here / "runner"
    if installed is not None and installed != used and _digest(installed) != _digest(used):
        warnings.warn(
            f"{used}, which is in use, differs from the installed {installed}: "
            "run `pip install -e .` so that there is only one",
            stacklevel=2,
        )


def _is_checkout(folder: Path) -> bool:
    return (folder / "plugins").is_dir() and (folder / "runner" / "__main__.py").is_file()


def _installed_runner() -> Path | None:
    """The folder of the distribution's own `runner`, if it was installed as a copy."""
    # A build leaves its metadata in the checkout: that is not where it is installed.
    here = Path.cwd().resolve()
    elsewhere = [place for place in sys.path if Path(place or ".").resolve() != here]
    for distribution in importlib.metadata.distributions(name="sweephouse", path=elsewhere):
        for file in distribution.files or []:
            if file.as_posix() == "runner/__main__.py":
                return Path(str(file.locate())).resolve().parent
    return None


def _digest(folder: Path) -> str:
    """sha256 over the names and texts of a folder's Python and SQL files."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".py", ".sql"):
            digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()

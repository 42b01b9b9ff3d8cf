"""Where a command stands: in a folder that is gone or takes no files, among odd names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runner.errors import ConfigError

RESULTS = "SWEEPHOUSE_RESULTS"
FOLDERS = {
    "hydra.run.dir": "${results}/outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}",
    "hydra.sweep.dir": "${results}/multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}",
}
"""Where Hydra's own files go if not into the working folder."""


def stand_somewhere(words: Sequence[str]) -> None:
    """Move to the results folder where the working folder is gone.

    Raises ConfigError where that folder is not known, and for names that nothing could record.
    """
    for word in words:
        _refuse_bytes(word, "give a name that is UTF-8")
    _refuse_bytes(os.environ.get(RESULTS, ""), f"give another folder by {RESULTS}")
    try:
        here = Path.cwd()
    except FileNotFoundError:
        here = _results(words)
        if not here.is_absolute():
            raise ConfigError(
                "the working folder is gone: change to one that exists, or name the results "
                "from the root (/…)"
            ) from None
        try:
            here.mkdir(parents=True, exist_ok=True)
            os.chdir(here)
        except OSError as error:
            raise ConfigError(
                f"the working folder is gone, and {here} cannot be used ({error.strerror}): "
                "change to a folder that exists"
            ) from None
    _refuse_bytes(str(here), "rename the working folder, or work in another")


def hydras_folders(words: Sequence[str]) -> list[str]:
    """Overrides that keep Hydra's files out of a working folder that takes none."""
    if os.access(Path.cwd(), os.W_OK | os.X_OK):
        return []
    given = {word.partition("=")[0] for word in words}
    return [f"{key}={folder}" for key, folder in FOLDERS.items() if key not in given]


def _refuse_bytes(name: str, mend: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name} is not valid: it is not UTF-8; {mend}") from None


def _results(words: Sequence[str]) -> Path:
    """The results folder as the words name it, or else the environment."""
    given = os.environ.get(RESULTS, "results")
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--results":
            given = following
        elif word.startswith(("results=", "--results=")):
            given = word.partition("=")[2]
    return Path(given)

"""What can go wrong and is the user's to mend: one sentence each, never a traceback.

    RunnerError                 the base; exit code 2
    ├── ConfigError             an override, a preset or a param is wrong
    │   └── PasswordError       a config holds a password
    ├── PluginError             a plugin breaks its contract, or two give one name
    ├── DataError               the data cannot be trained on
    ├── ModelError              the model cannot be built or changed as asked
    ├── JournalError            the run's journal cannot be written or read
    └── WarehouseError          the warehouse cannot be opened or answers no

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable


class RunnerError(Exception):
    """An error for the user: its message is one sentence that names value, place and mend."""


class ConfigError(RunnerError):
    """An override, a preset or a param is wrong."""


class PasswordError(ConfigError):
    """A config holds a password, which must not be kept."""


class PluginError(RunnerError):
    """A plugin breaks its contract, or two plugins give one name."""


class DataError(RunnerError):
    """The data cannot be trained on."""


class ModelError(RunnerError):
    """The model cannot be built, or cannot be changed as a regularizer asks."""


class JournalError(RunnerError):
    """The run's journal cannot be written or read."""


class WarehouseError(RunnerError):
    """The warehouse cannot be opened, or cannot answer."""


def choices(wrong: str, available: Iterable[str]) -> str:
    """The end of a sentence about a wrong name: the nearest one, then all that there are."""
    names = sorted(available)
    near = difflib.get_close_matches(wrong, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}available: {', '.join(names) or 'none'}"


def in_one_line(error: BaseException) -> str:
    """The error's type and the first line of what it says."""
    said = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def trace_of(error: BaseException) -> str | None:
    """The traceback that is kept of an error; None where one sentence says it all."""
    if isinstance(error, RunnerError):
        return None
    return "".join(traceback.format_exception(error))

"""`python -m runner`: load the plugins and hand over to Hydra, or run one of our own commands."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from runner.errors import ConfigError, JournalError, RunnerError
from runner.system import stops
from runner.system.stops import FAILED
from runner.system.streams import lost_output, steady_streams
from runner.system.terminal import complain, say

WRONG = 2
RECOVERIES = 10
"""How often a sweep goes on after a worker died."""
ONLY_PRINTS = {"-h", "--help", "--hydra-help", "-c", "--cfg", "--info", "-i", "--version"}


def command() -> NoReturn:
    """The process of a command: `main`, with both signals and all output in good hands."""
    stops.run_as_process(_own_process)


def _own_process() -> int:
    from runner.commands.warm.client import hand_over

    code = hand_over()
    if code is not None:
        return code
    steady_streams()
    try:
        code = _code(sys.argv[1:])
    except SystemExit as ended:  # argparse
        code = ended.code if isinstance(ended.code, int) else FAILED if ended.code else 0
    stops.check()
    reason = lost_output()
    if reason:
        failed = bool(ONLY_PRINTS & set(sys.argv[1:]))
        kind = "error" if failed else "warning"
        complain(f"{kind}: standard output cannot be written ({reason})")
        code = code or (FAILED if failed else 0)
    return code


def main() -> None:
    """The console script: exit code 0, 1 if a run failed, 2 if nothing began, 130 if stopped."""
    if stops.COMMAND == "runner":
        command()
    try:  # a test or a script of somebody's, whose signals and streams are its own
        code = _code(sys.argv[1:])
    except KeyboardInterrupt:
        complain("stopped")
        code = stops.INTERRUPTED
    sys.exit(code)


def _code(words: Sequence[str]) -> int:
    """Do what the words say; the exit code."""
    warnings.showwarning = _once()
    try:
        return _main(words)
    except RunnerError as error:
        stops.check()
        complain(f"error: {error}")
        return WRONG


def _main(words: Sequence[str]) -> int:
    if any(word.startswith("--plugin") for word in words):
        from runner.components.loose import taken

        words = taken(words)
    if any(word in ("-h", "--help") for word in words) and not _is_command(words):
        from runner.commands.help import help_text

        say(help_text())
        return 0
    from runner.components.passwords import refuse_passwords_in_words
    from runner.system.standing import stand_somewhere

    # Before anything keeps or prints what was typed, Hydra included.
    refuse_passwords_in_words(words)
    stand_somewhere(words)
    if _is_command(words):
        from runner.commands.table import run_command

        return run_command(words)
    return _train(words)


def _is_command(words: Sequence[str]) -> bool:
    """Whether the first word is one of our own commands: no option, no override, no zip(...)."""
    first = words[0] if words else "-"
    return not first.startswith(("-", "~", "+", "zip(", "join(")) and "=" not in first


def _train(words: Sequence[str]) -> int:
    """Compose with Hydra what the command line says, and train it."""
    from runner.components.registry import load
    from runner.config.compose import (
        presets_folder,
        reading_what_is_typed,
        register,
        spelled_out,
    )
    from runner.config.presets import check_root
    from runner.config.typed import is_multirun, refuse_odd_words, separated, value_of
    from runner.sweep.checkout import warn_of_another_copy
    from runner.sweep.launching import install

    warn_of_another_copy()
    register(load())
    install()
    options, overrides = separated(spelled_out(words))
    multirun = is_multirun(words)
    if multirun and {"-c", "--cfg", "--info", "-i"} & {o.partition("=")[0] for o in options}:
        raise ConfigError("--multirun trains and --cfg or --info only prints: give one of them")
    with reading_what_is_typed(multirun):
        refuse_odd_words(overrides, multirun)
        given = value_of(options, "--config-dir", "-cd")
        folder = presets_folder(given, overrides)
        root = value_of(options, "--config-name", "-cn")
        if root is not None and folder is not None:
            check_root(folder, root)
        if given is None and folder is not None:
            options = [*options, "--config-dir", str(folder)]
        return _hand_over(options, overrides)


def _hand_over(options: list[str], overrides: list[str]) -> int:
    """Have Hydra compose the overrides, and train what it hands back."""
    from concurrent.futures import BrokenExecutor

    import hydra

    from runner.backend.hydra_private import is_complaint
    from runner.config.compose import keep_no_passwords
    from runner.config.folders import CONFIG_MODULE, CONFIG_NAME
    from runner.config.sentences import COMPLAINTS, explain
    from runner.config.typed import is_multirun
    from runner.sweep.limits import RECOVERING
    from runner.sweep.sweep import Sweep
    from runner.system.standing import hydras_folders

    # In this order: `--info` would take an override for its value.
    words = [*overrides, *hydras_folders(overrides), *options]
    sys.argv[1:] = words
    # Hydra then raises what it would print and exit with 1 for; we say it in our own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    keep_no_passwords()
    sweep = Sweep(words)

    # A method: the packed launcher finds the sweep that it belongs to.
    application = hydra.main(
        version_base="1.3", config_path=f"pkg://{CONFIG_MODULE}", config_name=CONFIG_NAME
    )(sweep.train)

    for _ in range(RECOVERIES):
        try:
            application()
        except SystemExit as ended:  # Hydra has said why
            return WRONG if ended.code else 0
        except COMPLAINTS as error:
            raise explain(error) from error
        except BrokenExecutor as error:
            # A worker was killed, and with it the launcher: train what the sweep has left.
            complain(f"error: a worker died ({error}); going on with the rest")
            os.environ[RECOVERING] = "1"
            continue
        except KeyboardInterrupt:
            if not sweep.stopped:
                raise
        except RunnerError as error:
            if not is_multirun(words):
                raise
            sweep.refuse(str(error))  # told when it happened; the other jobs went on
        except OSError as error:
            if sweep.begun or not error.filename:
                raise
            if error.errno == errno.ENAMETOOLONG:
                name = Path(error.filename).name.removesuffix(".yaml")
                raise ConfigError(
                    f"the name {name} is too long: a file's has up to 255 bytes"
                ) from error
            raise JournalError(
                f"Hydra's folder {error.filename} cannot be written ({error.strerror}): make "
                "it writable, or choose others with results=<folder> and hydra.run.dir=<folder> "
                "(in a --multirun hydra.sweep.dir)"
            ) from error
        except Exception as error:
            if is_complaint(error):
                raise explain(error) from error
            raise
        break
    return sweep.close()


def _once() -> Callable[..., None]:
    """The function that says a warning as one line without the source that raised it.

    A sentence is said once a command: Python's own memory of that is lost whenever a library
    catches warnings of its own.
    """
    sentences: set[str] = set()

    def say_warning(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in sentences:
            sentences.add(str(message))
            complain(f"warning: {message}")

    return say_warning


if __name__ == "__main__":
    command()

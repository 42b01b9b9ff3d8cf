"""`python -m runner`: load the plugins and hand over to Hydra, or run one of our own commands."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

from runner.errors import ConfigError, RunnerError

WRONG, INTERRUPTED = 2, 130
RECOVERIES = 10
"""How often a sweep goes on after a worker died."""


def main() -> None:
    """The console script: exit code 0, 1 if a run failed, 2 if nothing began to train."""
    from runner.warm import hand_over

    warnings.showwarning = _say_warning
    try:
        code = hand_over()
        if code is None:
            code = _main(sys.argv[1:])
    except RunnerError as error:
        print(f"error: {error}", file=sys.stderr)
        code = WRONG
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


def _main(words: Sequence[str]) -> int:
    if any(word in ("-h", "--help") for word in words) and not _is_command(words):
        from runner.help import help_text

        print(help_text())
        return 0
    from runner.params import refuse_passwords

    # Before anything keeps or prints what was typed, Hydra included.
    for word in words:
        refuse_passwords(word.partition("=")[2], word.partition("=")[0])
    if _is_command(words):
        from runner.commands import run_command

        return run_command(words)
    return _train(words)


def _is_command(words: Sequence[str]) -> bool:
    """Whether the first word is one of our own commands: no option, no override."""
    return bool(words) and not words[0].startswith(("-", "~", "+")) and "=" not in words[0]


def _train(words: Sequence[str]) -> int:
    """Compose with Hydra what the command line says, and train it."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from runner.checkout import warn_of_another_copy
    from runner.composition import (
        CONFIG_MODULE,
        CONFIG_NAME,
        explain,
        refuse_odd_names,
        spelled_out,
    )
    from runner.config import register
    from runner.launchers import install
    from runner.registry import load
    from runner.sweep import RECOVERING, Sweep

    warn_of_another_copy()
    register(load())
    install()
    if {"-m", "--multirun"} & set(words) and {"-c", "--cfg", "--info", "-i"} & set(words):
        raise ConfigError("--multirun trains and --cfg or --info only prints: give one of them")
    # Between overrides, Hydra would not understand it.
    words = sorted(spelled_out(words), key=lambda word: word not in ("-m", "--multirun"))
    sys.argv[1:] = words
    refuse_odd_names(words)
    # Hydra then raises what it would print and exit with 1 for; we say it in our own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sweep = Sweep(words)

    # A method: the packed launcher finds the sweep that it belongs to.
    application = hydra.main(
        version_base="1.3", config_path=f"pkg://{CONFIG_MODULE}", config_name=CONFIG_NAME
    )(sweep.train)

    for _ in range(RECOVERIES):
        try:
            application()
        except (HydraException, OmegaConfBaseException) as error:
            raise explain(error) from error
        except BrokenExecutor as error:
            # A worker was killed, and with it the launcher: train what the sweep has left.
            print(f"error: a worker died ({error}); going on with the rest", file=sys.stderr)
            os.environ[RECOVERING] = "1"
            continue
        except KeyboardInterrupt:
            if not sweep.stopped:
                raise
        except RunnerError as error:
            sweep.refuse(str(error))  # told when it happened; the other jobs went on
        break
    return sweep.close()


def _say_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line without the source that raised it."""
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()

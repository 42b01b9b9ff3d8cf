"""The commands beside training: a first word that is no override, handled before Hydra."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigError, choices


@dataclass(frozen=True)
class Command:
    """One command: what it is for, its arguments, and what it does (its exit code)."""

    about: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def run_command(words: Sequence[str]) -> int:
    """Run the command that the first word names; ConfigError where there is none."""
    name = words[0]
    if name not in COMMANDS:
        raise ConfigError(
            f"'{name}' is neither a command nor an override: {choices(name, COMMANDS)}; "
            "an override is key=value, such as epochs=5 (try --help)"
        )
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"runner {name}", description=command.about)
    parser.add_argument("--results", type=Path, help="the results folder (default: ./results)")
    command.arguments(parser)
    return command.run(parser.parse_args(list(words[1:])))


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument("--to", type=Path, required=True, help="where to: model.keras")


def _restore(arguments: argparse.Namespace) -> int:
    from runner.restore import restore

    path = restore(arguments.run, arguments.to, arguments.results)
    print(f"wrote {path}")
    return 0


def _run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="run id, whole or either end of it")


def _resume(arguments: argparse.Namespace) -> int:
    from runner.again import resume
    from runner.sweep import close_run, exit_code

    outcome, results = resume(arguments.run, arguments.results)
    close_run(outcome, results)
    return exit_code([outcome.status])


def _replay(arguments: argparse.Namespace) -> int:
    from runner.again import replay
    from runner.records import Replay
    from runner.sweep import close_run, exit_code

    outcome, results = replay(arguments.run, arguments.results)
    close_run(outcome, results)
    differs = isinstance(outcome.closing, Replay) and not outcome.closing.equal
    return exit_code([outcome.status, "failed" if differs else "finished"])


COMMANDS = {
    "resume": Command(
        "Go on from a run's last checkpoint (checkpoint=N keeps them).",
        _run_argument,
        _resume,
    ),
    "replay": Command(
        "Train a run again from the warehouse alone and compare its losses.",
        _run_argument,
        _replay,
    ),
    "restore": Command(
        "Write a run's trained model, best weights, as a .keras file.",
        _restore_arguments,
        _restore,
    ),
}

"""The list of our commands: a first word that is no override, handled before Hydra."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from runner.errors import ConfigError, choices
from runner.system import extensions
from runner.system.terminal import complain

COMMANDS = (
    "look",
    "resume",
    "extend",
    "replay",
    "restore",
    "export",
    "predict",
    "evaluate",
    "serve",
    "warm",
    "search",
    "wait",
    "doctor",
    "new",
)
"""Each is the module of that name beside this one."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words, which may hold anything, and exit with 2."""
        complain(f"{self.format_usage()}{self.prog}: error: {message}")
        self.exit(2)


def parsers(names: Iterable[str] = COMMANDS) -> Mapping[str, argparse.ArgumentParser]:
    """The words of the commands; imports no other command."""
    words = _Parser(prog="runner").add_subparsers()
    for name in names:
        importlib.import_module(f"runner.commands.{name}").add(words)
    return words.choices


def of_packages() -> Mapping[str, extensions.Extension]:
    """The commands that installed packages bring, by what is typed; nothing is imported."""
    return extensions.extensions(extensions.COMMANDS, COMMANDS)


def run_command(words: Sequence[str]) -> int:
    """Run the command that the first word names; ConfigError where there is none."""
    name = words[0]
    parser: argparse.ArgumentParser | None = None
    if name in COMMANDS:
        parser = parsers([name])[name]
    elif command := extensions.find(extensions.COMMANDS, name, COMMANDS):
        parser = command.parser(_Parser(prog="runner"))
    if parser is None:
        from runner.config.typed import meant_as_override

        if sentence := meant_as_override(name, *words[1:2]):
            raise ConfigError(sentence)
        have = choices(name, [*COMMANDS, *of_packages()])
        raise ConfigError(
            f"'{name}' is neither a command nor an override: {have}; "
            "an override is key=value, such as epochs=5 (try --help)"
        )
    arguments = parser.parse_intermixed_args(list(words[1:]))
    code: int = arguments.run(arguments)
    return code

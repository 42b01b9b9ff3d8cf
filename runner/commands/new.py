"""`new`: a plugin package of one's own, written in a moment: component, test, README."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.components.kinds import KINDS, SEARCH_KINDS, kind_named
from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    Words = Any

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
TEMPLATES = Path(__file__).with_name("templates")
FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "{module}/__init__.py": "package.py.txt",
    "tests/test_{name}.py": "test.py.txt",
}
"""A file of the package -> the template that is the same for all kinds."""


def add(words: Words) -> None:
    """The words of the command."""
    parser = words.add_parser(
        "new",
        help="write a plugin package: a component, its test, its README",
        description="Write a package with one component that trains as it is, to be changed: its "
        "entry point, a test that trains it in every engine, a README.",
    )
    parser.add_argument("kind", metavar="KIND", choices=[*KINDS, *SEARCH_KINDS])
    parser.add_argument("name", metavar="NAME", help="of the component, as the config names it")
    parser.add_argument("--to", metavar="FOLDER", help="where to (default: sweephouse-NAME)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the package and say what to do with it."""
    kind, name = kind_named(arguments.kind), arguments.name
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"the name {name!r:.80} is not valid: give up to 40 small letters, digits and '_', "
            "such as my_network"
        )
    folder = Path(arguments.to or f"sweephouse-{name.replace('_', '-')}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already: choose another by --to FOLDER")
    many = kind.name in KINDS and kind.many
    values = {
        "kind": kind.name,
        "name": name,
        "module": f"sweephouse_{name}",
        "project": f"sweephouse-{name.replace('_', '-')}",
        "choice": f"{kind.key}={f'[{name}]' if many else name}",
        "key": kind.key,
    }
    files = FILES | {"{module}/component.py": f"{kind.name}.py.txt"}
    if kind.name in SEARCH_KINDS:
        files["tests/test_{name}.py"] = f"test_{kind.name}.py.txt"
    try:
        for place, template in files.items():
            file = folder / place.format(**values)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled((TEMPLATES / template).read_text(encoding="utf-8"), values))
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror})") from error
    command = "python -m runner"
    if kind.name in SEARCH_KINDS:
        command += " -m hydra/sweeper=search search.space=auto"
    say(f"wrote     {folder}: change {folder / values['module'] / 'component.py'}")
    say(f"install   pip install -e {folder}")
    say(f"test      python -m pytest {folder}")
    say(f"use it    {command} {values['choice']}")
    return 0


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with <name>, <kind> and the like replaced."""
    for key, value in values.items():
        template = template.replace(f"<{key}>", value)
    return template

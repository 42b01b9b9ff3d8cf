"""The report as Markdown, for a pull request or an issue."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from warehouse.report.content import Block, Figure, Picture, Table, shown

MOST_ROWS = 15
_ACTED_ON = re.compile(r"([\\`*_{}\[\]#+!|$~@])")
"""Signs that Markdown, or what shows it, acts on."""


def markdown(
    title: str,
    subtitle: str,
    blocks: Sequence[Block],
    commands: Sequence[str],
    files: Mapping[str, str],
) -> str:
    """The whole text; files: the name of a figure -> the path of its picture."""
    return "\n".join(_lines(title, subtitle, blocks, commands, files)) + "\n"


def plain(text: str) -> str:
    """The text as it is, whatever signs it holds, in one line."""
    return _ACTED_ON.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _lines(
    title: str,
    subtitle: str,
    blocks: Sequence[Block],
    commands: Sequence[str],
    files: Mapping[str, str],
) -> Iterator[str]:
    yield f"# {plain(title)}\n\n{plain(subtitle)}"
    for block in blocks:
        if isinstance(block, Figure | Picture):
            if block.name in files:
                path = quote(files[block.name])
                yield f"\n## {plain(block.title)}\n\n![{plain(block.title)}]({path})"
        else:
            yield from _table(block)
    if commands:
        yield "\n## Go on from the best run\n\n```sh"
        yield from commands
        yield "```"


def _table(table: Table) -> Iterator[str]:
    yield f"\n## {plain(table.title)}\n"
    if table.note:
        yield f"{plain(table.note)}\n"
    yield "| " + " | ".join(plain(str(name)) for name in table.columns) + " |"
    yield "|" + "---|" * len(table.columns)
    for row in table.rows[:MOST_ROWS]:
        yield "| " + " | ".join(plain(shown(value)) for value in row) + " |"
    if len(table.rows) > MOST_ROWS:
        yield f"\nand {len(table.rows) - MOST_ROWS} more"

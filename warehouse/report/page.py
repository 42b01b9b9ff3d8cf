"""The report as one page that needs no other file and asks no other machine."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from warehouse.figures.render import in_script, library
from warehouse.report.content import Block, Figure, Picture, Table, shown

POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)
"""What the page may do: nothing but what it holds; Vega makes functions of its expressions."""
NUMBERS = int | float
IMAGES = {".svg": "image/svg+xml"}


def page(title: str, subtitle: str, blocks: Sequence[Block], commands: Sequence[str]) -> str:
    """The whole page as HTML."""
    return "".join(_parts(title, subtitle, blocks, commands))


def _parts(
    title: str, subtitle: str, blocks: Sequence[Block], commands: Sequence[str]
) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_file('page.css')}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header><main>"
    )
    figures: dict[str, object] = {}
    for number, block in enumerate(blocks):
        if isinstance(block, Figure):
            figures[f"figure-{number}"] = block.chart.to_dict(validate=False)
            yield (
                f'<section class="figure"><h2>{escape(block.title)}</h2>'
                f'<div class="scroll"><div id="figure-{number}" role="img" '
                f'aria-label="{escape(block.title)}"></div></div></section>'
            )
        elif isinstance(block, Picture):
            kind = IMAGES.get(block.ending, "image/png")
            data = base64.b64encode(block.content).decode()
            title = escape(block.title)
            yield (
                f'<section class="figure"><h2>{title}</h2><div class="scroll">'
                f'<img alt="{title}" src="data:{kind};base64,{data}"></div></section>'
            )
        else:
            yield from _table(block)
    if commands:
        lines = "\n".join(map(escape, commands))
        yield f"<section><h2>Go on from the best run</h2><pre>{lines}</pre></section>"
    yield f"</main><script>{library()}</script>"
    yield f"<script>const figures = {in_script(figures)};\n{_file('page.js')}</script>"
    yield "</body></html>\n"


def _table(table: Table) -> Iterator[str]:
    yield f"<section><h2>{escape(table.title)}</h2>"
    if table.note:
        yield f"<p>{escape(table.note)}</p>"
    yield '<div class="scroll"><table class="sortable"><thead><tr>'
    for place, name in enumerate(table.columns):
        kind = ' class="number"' if _is_number(table, place) else ""
        yield f'<th{kind} tabindex="0" role="button">{escape(str(name))}</th>'
    yield "</tr></thead><tbody>"
    numbers = [_is_number(table, place) for place in range(len(table.columns))]
    for row in table.rows:
        yield "<tr>"
        for value, number in zip(row, numbers, strict=True):
            yield (
                f'<td class="number">{escape(shown(value))}</td>'
                if number
                else (f"<td>{escape(shown(value))}</td>")
            )
        yield "</tr>"
    yield "</tbody></table></div></section>"


def _is_number(table: Table, place: int) -> bool:
    values = [row[place] for row in table.rows if row[place] is not None]
    return bool(values) and all(
        isinstance(value, NUMBERS) and not isinstance(value, bool) for value in values
    )


def _file(name: str) -> str:
    return resources.files("warehouse").joinpath("report", name).read_text("utf-8")

"""Simple figures as SVG text, so that evaluators need no library for them."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f", "#9e9d24", "#ad1457",
           "#4e342e", "#546e7a")  # fmt: skip
SIDE, MARGIN = 320, 56
CARD, LINE = 116, 14
LONGEST = 40
"""Signs of a name that are shown."""


@dataclass(frozen=True)
class Line:
    """A named line through points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marked: bool = False


@dataclass(frozen=True)
class Card:
    """A picture or some words, and what is said of it."""

    caption: Sequence[str]
    picture: Array | None = None
    """(height, width) or (height, width, 3), uint8."""
    words: str = ""


def unit_plot(lines: Sequence[Line], title: str, x: str, y: str, diagonal: bool = True) -> str:
    """Lines in the unit square, both axes from 0 to 1."""
    parts = [_frame(title, x, y, (0, 1), (0, 1))]
    if diagonal:
        parts.append(_path([0, 1], [0, 1], "#90a4ae", dashed=True))
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_path(line.x, line.y, colour))
        if line.marked:
            parts += [_dot(a, b, colour, 3) for a, b in zip(line.x, line.y, strict=True)]
    return _figure(parts, [line.name for line in lines])


def scatter(points: Array, groups: Array, names: Sequence[str], title: str) -> str:
    """Points (rows, 2), coloured by the number of their group, or by a value from 0 to 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    placed = (points - low) / np.where(high > low, high - low, 1)
    parts = [_frame(title, "", "", None, None)]
    for (x, y), group in zip(placed, groups, strict=True):
        colour = COLOURS[int(group) % len(COLOURS)] if names else _shade(float(group))
        parts.append(_dot(x, y, colour, 2.5))
    return _figure(parts, names)


def bars(names: Sequence[str], values: Sequence[float], title: str, what: str) -> str:
    """A bar for each name, the first on top; values below 0 go to the left."""
    left, width, row = 190, 320, 20
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    zero = left - low / span * width
    parts = [_text(8, 18, title, 13)]
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        y = 30 + number * row
        end = left + (value - low) / span * width
        x, length = min(zero, end), max(abs(end - zero), 0.5)
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="14" '
                     f'fill="{COLOURS[0]}"/>')  # fmt: skip
        parts.append(_text(left - 6, y + 11, brief(name), 11, "end"))
        parts.append(_text(max(end, zero) + 4, y + 11, f"{value:.4g}", 11))
    bottom = 30 + len(names) * row
    parts.append(_text(left, bottom + 14, what, 11))
    return _svg(left + width + 70, bottom + 24, parts)


def gallery(cards: Sequence[Card], title: str, columns: int = 5) -> str:
    """Cards in rows, with their captions below."""
    lines = max((len(card.caption) for card in cards), default=0)
    words = any(card.words for card in cards)
    width = CARD * 2 if words else CARD
    columns = min(max(1, columns // (2 if words else 1)), max(len(cards), 1))
    height = CARD + LINE * lines + 10
    parts = [_text(8, 18, title, 13)]
    for number, card in enumerate(cards):
        x, y = 8 + number % columns * (width + 8), 28 + number // columns * height
        parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{CARD}" fill="#eceff1"/>')
        if card.picture is not None:
            data = base64.b64encode(png(card.picture)).decode()
            parts.append(
                f'<image x="{x}" y="{y}" width="{CARD}" height="{CARD}" '
                f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
            )
        for line, text in enumerate(_wrapped(card.words, width // 6)[: CARD // LINE]):
            parts.append(_text(x + 4, y + LINE * (line + 1), text, 10))
        for line, text in enumerate(card.caption):
            parts.append(_text(x, y + CARD + LINE * (line + 1), brief(text, width // 6), 11))
    rows = -(-len(cards) // columns)
    return _svg(16 + columns * (width + 8), 34 + rows * height, parts)


def png(pixels: Array) -> bytes:
    """Pixels (height, width) or (height, width, 3), uint8, as a PNG file."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def brief(text: str, longest: int = LONGEST) -> str:
    """A text as it may stand beside others."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of so many signs; line breaks stay."""
    return [
        line[at : at + width]
        for line in text.splitlines()
        for at in range(0, max(len(line), 1), width)
    ]


def _shade(value: float) -> str:
    """From blue to red, for 0 to 1."""
    low, high = (21, 101, 192), (198, 40, 40)
    mixed = (round(a + (b - a) * value) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _frame(
    title: str, x: str, y: str, over: tuple[float, float] | None, up: tuple[float, float] | None
) -> str:
    """The square, its title and its axes."""
    parts = [
        _text(MARGIN, 22, title, 13),
        f'<rect x="{MARGIN}" y="{MARGIN - 20}" width="{SIDE}" height="{SIDE}" fill="none" '
        'stroke="#90a4ae"/>',
        _text(MARGIN + SIDE / 2, MARGIN + SIDE + 14, x, 11, "middle"),
    ]
    if y:
        place = f"{16},{MARGIN - 20 + SIDE / 2}"
        parts.append(
            f'<text transform="translate({place}) rotate(-90)" font-size="11" '
            f'text-anchor="middle" fill="#263238">{html.escape(y)}</text>'
        )
    for value in np.linspace(*over, 5) if over else ():
        parts.append(_text(_x(value), MARGIN + SIDE - 4, f"{value:g}", 10, "middle"))
    for value in np.linspace(*up, 5) if up else ():
        parts.append(_text(MARGIN - 4, _y(value) + 3, f"{value:g}", 10, "end"))
    return "".join(parts)


def _x(share: float) -> float:
    return MARGIN + float(share) * SIDE


def _y(share: float) -> float:
    return MARGIN - 20 + (1 - float(share)) * SIDE


def _path(x: Sequence[float], y: Sequence[float], colour: str, dashed: bool = False) -> str:
    points = " ".join(f"{_x(a):.1f},{_y(b):.1f}" for a, b in zip(x, y, strict=True))
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'


def _dot(x: float, y: float, colour: str, radius: float) -> str:
    return f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{radius}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="#263238">{html.escape(_printable(text))}</text>'
    )


def _printable(text: str) -> str:
    """The text without signs that XML has no place for."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _figure(parts: Sequence[str], names: Sequence[str]) -> str:
    """A square with the names beside it."""
    legend = []
    for number, name in enumerate(names):
        y = MARGIN + number * 16
        colour = COLOURS[number % len(COLOURS)]
        legend.append(
            f'<rect x="{MARGIN + SIDE + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        )
        legend.append(_text(MARGIN + SIDE + 30, y, brief(name), 11))
    height = max(MARGIN + SIDE + 24, MARGIN + 16 * len(names) + 10)
    return _svg(MARGIN + SIDE + (240 if names else 20), height, [*parts, *legend])


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="DejaVu Sans, Verdana, sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )

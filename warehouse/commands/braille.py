"""Lines drawn with braille dots: four rows and two columns of dots a character."""

from __future__ import annotations

import math
from collections.abc import Sequence

Series = Sequence[tuple[float, float]]
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def plot(lines: Sequence[Series], width: int, height: int) -> list[list[tuple[str, int]]]:
    """A grid of (character, index of the line drawn last there, or -1), with axes."""
    points = [(x, y) for line in lines for x, y in line if math.isfinite(y)]
    if not points:
        return [[("no finite values", -1)]]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    shares = [row / (height - 1) for row in range(height)]
    labels = [f"{high * (1 - share) + low * share:.4g}" for share in shares]
    margin = max(map(len, labels))
    columns, rows = 2 * (width - margin - 2), 4 * height
    dots: dict[tuple[int, int], tuple[int, int]] = {}

    def mark(column: int, row: int, index: int) -> None:
        cell = (row // 4, column // 2)
        dots[cell] = (dots.get(cell, (0, 0))[0] | _DOTS[row % 4][column % 2], index)

    for index, line in enumerate(lines):
        last: tuple[int, int] | None = None
        for x, y in line:
            if not math.isfinite(y):
                last = None
                continue
            here = (
                round(_share(x, left, right) * (columns - 1)),
                round((1 - _share(y, low, high) if high > low else 0) * (rows - 1)),
            )
            for column, row in _between(last or here, here):
                mark(column, row, index)
            last = here
    grid = []
    for row in range(height):
        axis = (f"{labels[row] if row % 3 == 0 or row == height - 1 else '':>{margin}} ┤", -1)
        cells = [dots.get((row, column), (0, -1)) for column in range(columns // 2)]
        grid.append([axis, *((chr(0x2800 + bits) if bits else " ", i) for bits, i in cells)])
    scale = f"{left:g}{right:>{max(columns // 2 - len(f'{left:g}'), 1)}g}"
    return [*grid, [(" " * (margin + 2) + scale, -1)]]


def _share(value: float, least: float, most: float) -> float:
    """How far from the least to the most it lies; by halves, whose difference is always finite."""
    return (value / 2 - least / 2) / ((most / 2 - least / 2) or 1)


def _between(a: tuple[int, int], b: tuple[int, int]) -> list[tuple[int, int]]:
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
    return [
        (round(a[0] + (b[0] - a[0]) * i / steps), round(a[1] + (b[1] - a[1]) * i / steps))
        for i in range(steps + 1)
    ]

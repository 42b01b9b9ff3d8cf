"""A drawing of a model's layers as SVG: one box a layer, top to bottom, lines for who feeds whom.

No Graphviz: layers stand in their order, a line runs straight to the next one, and around the
others in a lane of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from runner.system.terminal import printable

if TYPE_CHECKING:
    from runner.model.layers import Layer

WIDTH, HEIGHT, GAP, MARGIN, LANE = 380, 40, 20, 16, 14
INK, LINE = "#1f2933", "#7b8794"
COLOURS = (
    ("Input", "#e4e7eb"),
    ("Conv", "#bfe3d0"),
    ("Dense", "#bcd7f5"),
    ("EinsumDense", "#bcd7f5"),
    ("Attention", "#d9c8f0"),
    ("LSTM", "#f5d6b3"),
    ("GRU", "#f5d6b3"),
    ("RNN", "#f5d6b3"),
    ("Bidirectional", "#f5d6b3"),
    ("Embedding", "#f7e3a1"),
    ("Normalization", "#f3c9d4"),
)
PLAIN = "#f5f7fa"


def draw(layers: Sequence[Layer]) -> str:
    """The picture as SVG text; equal layers give equal text."""
    place = {layer.name: index for index, layer in enumerate(layers)}
    edges = [
        (place[source], index)
        for index, layer in enumerate(layers)
        for source in layer.inputs
        if source in place
    ]
    lanes = _lanes([edge for edge in edges if edge[1] != edge[0] + 1])
    right = MARGIN + WIDTH + LANE * (max(lanes.values(), default=-1) + 2)
    height = 2 * MARGIN + len(layers) * (HEIGHT + GAP) - GAP
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right}" height="{max(height, 1)}" '
        f'viewBox="0 0 {right} {max(height, 1)}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    drawn += [_edge(edge, lanes.get(edge)) for edge in edges]
    drawn += [_box(index, layer) for index, layer in enumerate(layers)]
    return "\n".join([*drawn, "</svg>", ""])


def _lanes(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A lane for each line that passes other boxes; lines that overlap have different ones."""
    lanes: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: (edge[1] - edge[0], edge)):
        taken = {lane for (begin, end), lane in lanes.items() if begin < edge[1] and edge[0] < end}
        lanes[edge] = next(lane for lane in range(len(lanes) + 1) if lane not in taken)
    return lanes


def _edge(edge: tuple[int, int], lane: int | None) -> str:
    begin, end = (MARGIN + index * (HEIGHT + GAP) for index in edge)
    if lane is None:
        x = MARGIN + WIDTH // 2
        path = f"M{x} {begin + HEIGHT}V{end}"
    else:
        x, out = MARGIN + WIDTH, MARGIN + WIDTH + LANE * (lane + 1)
        path = f"M{x} {begin + HEIGHT // 2 + 6}H{out}V{end + HEIGHT // 2 - 6}H{x}"
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'


def _box(index: int, layer: Layer) -> str:
    top = MARGIN + index * (HEIGHT + GAP)
    fill = next((colour for part, colour in COLOURS if part in layer.class_name), PLAIN)
    shape = "?" if layer.output_shape is None else " × ".join(map(_size, layer.output_shape))
    count = f"{layer.parameters:,} parameters" if layer.parameters else ""
    left, right = MARGIN + 10, MARGIN + WIDTH - 10
    return (
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{fill}" '
        f'stroke="{LINE}"/>'
        f'<text x="{left}" y="{top + 16}" fill="{INK}" font-weight="bold">'
        f"{_shown(layer.class_name)}</text>"
        f'<text x="{left}" y="{top + 32}" fill="{INK}">{_shown(layer.name)}</text>'
        f'<text x="{right}" y="{top + 16}" fill="{INK}" text-anchor="end">'
        f"{escape(shape or 'one number')}</text>"
        f'<text x="{right}" y="{top + 32}" fill="{INK}" text-anchor="end">{count}</text>'
    )


def _size(axis: int | None) -> str:
    return "any" if axis is None else str(axis)


def _shown(text: str) -> str:
    """The end of a long name, which tells it from others, without what XML cannot hold."""
    # As escapes: no reference stands for a control character in XML.
    text = printable(text).replace("\ufffe", "?").replace("\uffff", "?")
    return escape(text if len(text) <= 36 else f"…{text[-35:]}")

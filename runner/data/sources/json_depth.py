"""JSON nested so deep that DuckDB, which reads it by recursion, would end the process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from runner.errors import DataError

DEEPEST = 200
"""Far below what ends DuckDB 1.5 (some 4,000), and where it takes long over each level."""
BLOCK = 2**24
OPENING, CLOSING = b"[{", b"]}"
OTHERS = bytes(set(range(256)) - set(OPENING + CLOSING))
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def refuse_deep(files: Iterable[Path]) -> None:
    """Raise DataError for the first file that is nested deeper than any table of rows."""
    for file in files:
        # Brackets inside of texts are told apart only where it matters: that takes ten times as
        # long as all else.
        if _depth(file, with_texts=True) > DEEPEST and _depth(file, with_texts=False) > DEEPEST:
            raise DataError(
                f"{file} is nested more than {DEEPEST} deep: rows are objects of values, "
                "or of lists of them"
            )


def _depth(file: Path, with_texts: bool) -> int:
    """How deep brackets are nested; one that closes too much closes nothing."""
    deepest = depth = 0
    begun = b""
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            if not with_texts:
                block, quote, rest = TEXT.sub(b"", begun + block).partition(b'"')
                begun = quote + rest  # a text that the block has cut
            brackets = np.frombuffer(block.translate(None, OTHERS), np.uint8)
            if not len(brackets):
                continue
            steps = np.where((brackets == OPENING[0]) | (brackets == OPENING[1]), 1, -1)
            depths = depth + np.cumsum(steps)
            depths -= np.minimum(np.minimum.accumulate(depths), 0)
            deepest, depth = max(deepest, int(depths.max())), int(depths[-1])
    return deepest

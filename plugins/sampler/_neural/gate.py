"""How much other tasks are trusted: by how well they foretell the trials so far."""

from __future__ import annotations

import math

FROM = 4
"""Trials before which there is nothing to tell by."""
MOST = 0.9


def trust(evidence: float | None) -> float:
    """The probability with which a slot is left to what other tasks taught.

    evidence: the difference of the logarithms of the evidence, with other tasks and without;
    None before there are trials enough.
    """
    if evidence is None:
        return MOST
    return min(1 / (1 + math.exp(-min(max(evidence + 1, -50), 50))), MOST)


def refit_at(trials: int) -> int:
    """At how many of the trials the scales were found last: each up to 15, then every third."""
    return trials if trials <= 15 else 15 + (trials - 15) // 3 * 3

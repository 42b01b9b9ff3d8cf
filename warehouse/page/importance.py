"""What mattered: `sweep_effects` of the warehouse as bars; no toolkit in here."""

from __future__ import annotations

from typing import Any

from warehouse.page import charts
from warehouse.page.feed import Feed


def options(feed: Feed, outcome: str) -> tuple[dict[str, Any], str]:
    """The chart, and a sentence about what it rests on."""
    if not feed.has("sweep_effects"):
        return charts.base(series=[]), "This warehouse has no view sweep_effects yet."
    return charts.base(series=[]), outcome

"""What mattered: `sweep_effects` of the warehouse as bars; no toolkit in here."""

from __future__ import annotations

from typing import Any

from warehouse.page import charts
from warehouse.page.feed import Feed

FEW = 3
"""With fewer runs than this at some value of a param, its share says little."""
MOST = 20


def options(feed: Feed, sweep: str | None) -> tuple[dict[str, Any], str]:
    """The chart, and a sentence about what it rests on."""
    nothing = charts.base(series=[])
    if not feed.has("sweep_effects"):
        return nothing, "This warehouse has no sweep_effects."
    rows = feed.ask("importance", sweep=sweep).by_name()
    if not rows:
        return nothing, "Nothing to say yet: this needs runs that ended and differ in a param."
    monitor = rows[0]["monitor"]
    of_one = [row for row in rows if row["monitor"] == monitor][:MOST]
    names = [f"{row['param']} (best: {row['best_level']}, {row['runs']} runs)" for row in of_one]
    values = [charts.finite(row["effect"]) or 0.0 for row in of_one]
    hint = (
        f"Share of the variance of {monitor} that each param explains alone, less what chance "
        "would: main effects only, and params that vary together each get the credit of both."
    )
    if few := [row["param"] for row in of_one if (row["fewest"] or 0) < FEW]:
        hint += f" Some values have fewer than {FEW} runs: read little into {', '.join(few)}."
    return charts.bars(names, [round(value, 4) for value in values], value="effect"), hint

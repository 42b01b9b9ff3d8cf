"""A learning rate that stays."""

from __future__ import annotations

from runner import schedule


@schedule
def constant(learning_rate: float) -> float:
    """The optimizer's learning rate in every step."""
    return learning_rate

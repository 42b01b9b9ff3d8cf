"""What the names of metrics tell where nobody says it: which end is better, and the split."""

from __future__ import annotations

import re
from typing import Literal

MORE_IS_BETTER = re.compile(
    r"acc|auc|precision|recall|f1|fbeta|r2|iou|specificity|sensitivity|cosine|correlation|top_?k"
    r"|true_"
)
"""What is in the names of metrics of which more is better; of anything else, less is."""
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "dev": "val",
    "test": "test",
}
"""The words that scripts put before a metric, or behind a slash, and the split that each means."""
_BEFORE = re.compile(rf"({'|'.join(SPLITS)})[_/. -](.+)", re.I | re.S)
_BEHIND = re.compile(rf"(.+)/({'|'.join(SPLITS)})", re.I | re.S)


def better_end(name: str) -> Literal["min", "max"]:
    """The end of a metric that is better, by its name; of a head's, by what is measured."""
    return "max" if MORE_IS_BETTER.search(name.rpartition(".")[2]) else "min"


def split_of(name: str) -> tuple[str, str]:
    """The split and the metric's name without it: `eval/loss` is (val, loss), `Loss/train` too.

    A name that says no split is one of training.
    """
    split = "train"
    if match := _BEFORE.fullmatch(name):
        split, name = SPLITS[match[1].lower()], match[2]
    elif match := _BEHIND.fullmatch(name):
        split, name = SPLITS[match[2].lower()], match[1]
    return split, "loss" if name.lower() == "loss" else name

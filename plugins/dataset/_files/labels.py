"""What the files of datasets take of labels; runner/data/labels.py decides what they are."""

from __future__ import annotations

from runner import AskedTask as Asked
from runner import is_number, numbers_or_text, targets_of

__all__ = ["Asked", "is_number", "numbers_or_text", "targets_of"]

"""What tests of plugins use: one component trained a few steps in every engine.

May import: sweep and below.
"""

from __future__ import annotations

from runner.testing.check import Checked, check_component

__all__ = ["Checked", "check_component"]

"""What is printed: escapes for what a terminal must not get."""

from __future__ import annotations

import pytest

from runner.system.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ümlaut, 猫, 👩‍🔬", "plain, ümlaut, 猫, 👩‍🔬"),
        ("two\n\tlines", "two\n\tlines"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("over\rwritten\b\x7f", "over\\x0dwritten\\x08\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_acts_on_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode()  # whatever is shown can be written

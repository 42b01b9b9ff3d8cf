"""What is printed: escapes for what a terminal must not get."""

from __future__ import annotations

import pytest

from runner.system import streams  # noqa: F401 - it tells codecs of the plain characters
from runner.system.terminal import printable, shortened


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


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("a … b → c", "ascii", "a ... b -> c"),
        ("┤─│⣿⡀\u2800", "latin-1", "+-|#. "),
        ("± größe", "latin-1", "± größe"),
        ("größe 猫", "ascii", "gr\\xf6\xdfe \\u732b".replace("\xdf", "\\xdf")),
    ],
)
def test_a_terminal_without_our_characters_gets_plain_ones(
    text: str, encoding: str, shown: str
) -> None:
    assert text.encode(encoding, "sweephouse.plain").decode(encoding) == shown


def test_a_sentence_shows_the_ends_of_what_it_quotes() -> None:
    long = "a" + "x" * 9_998 + "z"
    assert len(shortened(f"epochs={long} is not valid")) < 300
    assert shortened(f"{long} is not valid").endswith("xz is not valid")
    assert len(shortened("a b " * 10_000)) < 4_000
    usual = "there is no key 'a': available: " + ", ".join(map(str, range(500)))
    assert shortened(usual) == usual

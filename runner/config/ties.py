"""Words of a sweep that tie keys to each other: zip pairs their values, join adds up grids.

    zip(optimizer.learning_rate,batch_size)                 beside the two keys with their values
    zip(optimizer.learning_rate=1e-3,1e-2,batch_size=16,32) the same in one word
    pairs=zip(...)                                          the same with a name, as Hydra plans it
    join(optimizer=adam; optimizer=sgd optimizer.momentum=0,0.9)

Hydra's grammar has no place for them yet. To Hydra each is an override that is swept, so that it
is left to the sweeper; one that knows nothing of them says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.errors import HydraException

from runner.errors import ConfigError

TIE = re.compile(r"(?:(?P<name>[\w.]+)=)?(?P<call>zip|join)\s*\((?P<inner>.*)\)\s*", re.DOTALL)
KEY = re.compile(r"\s*(?P<key>[+~]{0,2}[\w./@]+)\s*")
MEMBER = re.compile(rf"{KEY.pattern}=(?P<value>.*)", re.DOTALL)
CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Tie(Override):
    """A word that ties keys, in the place of an override."""

    is_tie: ClassVar[bool] = True

    def is_sweep_override(self) -> bool:
        """Say yes: Hydra leaves it to the sweeper."""
        return True

    def is_discrete_sweep(self) -> bool:
        """Say yes: a sweeper then asks for the values, and is told why there are none."""
        return True

    def sweep_iterator(self, transformer: Any = None) -> Iterator[Any]:
        """Raise HydraException: this sweeper does not know of ties."""
        raise HydraException(
            f"{self.input_line} is not valid: only hydra/sweeper=quick, the default, knows zip "
            "and join"
        )


@dataclass
class Zip(Tie):
    """Keys whose nth values belong together."""

    keys: Sequence[str] = ()
    words: Sequence[str] = ()
    """The keys with their values, where they are given inside."""


@dataclass
class Join(Tie):
    """Grids, of which a sweep has all jobs."""

    grids: Sequence[Sequence[str]] = ()


def is_tie(word: str) -> bool:
    """Whether a word ties keys."""
    return TIE.fullmatch(word) is not None


def meant_as_tie(word: str) -> str:
    """The sentence for a word that is nearly zip or join; empty for others."""
    name, bracket, _ = word.partition("(")
    near = difflib.get_close_matches(name.strip(), ("zip", "join"), n=1)
    if not bracket or not near:
        return ""
    if name.strip() == near[0]:
        return f"{word} is not valid: its bracket is not closed"
    return f"{word} is not valid: did you mean {near[0]}(...)?"


def read_tie(word: str) -> Zip | Join | None:
    """The tie that a word is; None for another word, ConfigError for one that ties nothing."""
    match = TIE.fullmatch(word)
    if match is None:
        return None
    pieces = _pieces(word, match["inner"], "," if match["call"] == "zip" else ";")
    shared = (OverrideType.CHANGE, word, ValueType.CHOICE_SWEEP, None)
    if match["call"] == "zip":
        keys, words = _members(word, pieces)
        return Zip(*shared, input_line=word, keys=keys, words=words)
    if match["name"] is not None:
        raise ConfigError(f"{word} is not valid: join stands by itself, join(a=1; b=2)")
    grids = [_words(word, piece) for piece in pieces]
    if not all(grids):
        raise ConfigError(f"{word} is not valid: one of its grids is empty")
    return Join(*shared, input_line=word, grids=grids)


def words_inside(word: str) -> list[str]:
    """The overrides that a tie holds itself."""
    tie = read_tie(word)
    if isinstance(tie, Join):
        return [inner for grid in tie.grids for inner in grid]
    return list(tie.words) if isinstance(tie, Zip) else []


def _members(word: str, pieces: Sequence[str]) -> tuple[list[str], list[str]]:
    """The keys that a zip ties, and if it gives their values, those as overrides."""
    bare = [KEY.fullmatch(piece) for piece in pieces]
    if all(bare):
        keys = [match["key"] for match in bare if match]
        words: list[str] = []
    else:
        values: dict[str, list[str]] = {}
        for piece in pieces:
            member = MEMBER.fullmatch(piece)
            if member and member["key"] in values:
                raise ConfigError(f"{word} is not valid: it names {member['key']} twice")
            if member:
                values[member["key"]] = [member["value"].strip()]
            elif values:  # one more value of the key before: a=1,2
                values[[*values][-1]].append(piece.strip())
            else:
                break
        if not values or not MEMBER.fullmatch(pieces[0]):
            raise ConfigError(
                f"{word} is not valid: zip pairs keys, zip(batch_size,epochs) beside their "
                "values, or zip(batch_size=16,32,epochs=5,10)"
            )
        keys = list(values)
        words = [f"{key}={_listed(texts)}" for key, texts in values.items()]
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise ConfigError(
            f"{word} is not valid: zip pairs the values of two keys or more, commas between them, "
            "such as zip(batch_size=16,32,epochs=5,10)"
        )
    return keys, words


def _listed(texts: Sequence[str]) -> str:
    """The values of a member; a list by itself holds them, as in Hydra's plan."""
    [first, *others] = texts
    if not others and first.startswith("[") and first.endswith("]"):
        return f"choice({first[1:-1]})"
    return ",".join(texts)


def _words(word: str, grid: str) -> list[str]:
    """The overrides of a grid: what stands between blanks."""
    words = [piece for piece in _pieces(word, grid, " \t\n") if piece]
    for inner in words:
        if not MEMBER.fullmatch(inner) and not inner.startswith("~") and not is_tie(inner):
            raise ConfigError(
                f"{word} is not valid: {inner} is no override; a grid has overrides with blanks "
                "between them, and ; stands between grids"
            )
    return words


def _pieces(word: str, text: str, separators: str) -> list[str]:
    """The parts of a text between separators that stand in no brackets and no quotes."""
    pieces, open_, quote = [""], [], ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and text[place - 1] != "\\" else quote
        elif sign in "'\"" and (not pieces[-1].strip() or text[place - 1] in "=,([{: "):
            quote = sign
        elif sign in CLOSING:
            open_.append(CLOSING[sign])
        elif open_ and sign == open_[-1]:
            open_.pop()
        elif sign in separators and not open_:
            pieces.append("")
            continue
        pieces[-1] += sign
    if open_ or quote:
        raise ConfigError(f"{word} is not valid: a bracket or a quote is not closed")
    return [piece.strip() for piece in pieces]

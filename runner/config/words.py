"""Values as people type them, where Hydra's grammar has no place for them or misreads them.

That grammar knows ASCII letters and a few signs, and any number is a number to it. Where it cannot
read a value, the value is read here as it stands, in lists and dicts too: `dataset.label=Alter
(J.)`, `dataset.path=data[1].csv`, `class_weight={größe:5}`. And where every component of a kind
wants text, text it is: `dataset.label=1e5` is the column called 1e5. What Hydra can read else
means what it means to Hydra.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    Sweep,
    ValueType,
)
from hydra.errors import HydraException

from runner.components.registry import Registry, load
from runner.config.settings import settings_params
from runner.config.ties import read_tie
from runner.errors import ConfigError, choices

CLOSING = {"(": ")", "[": "]", "{": "}"}
WORD = re.compile(r"(?P<key>(?:\+\+?|~)?[^=]*)=(?P<value>.*)", re.DOTALL)
CALL = re.compile(r"(\w+)\s*\(.*\)", re.DOTALL)
TWO = re.compile(r"(\S+?)[\s;&]+(\w+(?:\.\w+)*=.*)", re.DOTALL)
SPACE = "search.space"
HEADS = "heads."
DEEPEST = 50
"""How deep brackets may be nested in a value that is no text."""
LARGEST = 2**64
"""No whole number is as large: neither a journal's reader nor a tensor could hold it."""
Parse = Callable[[str], Override]


def read_override(word: str, parse: Parse, multirun: bool) -> Override:
    """The override that a word is.

    parse: Hydra's own parser. multirun: whether a comma may mean one job for each value.

    Raises HydraException where the key is none, ConfigError where the value means nothing.
    """
    override = _read(word, parse, multirun)
    most = 10**308 if takes_fractions(override.key_or_group) else LARGEST
    if any(abs(number) >= most for number in _whole_numbers(override._value)):
        raise ConfigError(f"{word} is not valid: a whole number has at most 64 bits")
    return override


def _read(word: str, parse: Parse, multirun: bool) -> Override:
    """The same, its numbers as large as they were typed."""
    if (tie := read_tie(word)) is not None:
        return tie
    try:
        usual = parse(word)
    except HydraException:
        usual = None
    match = WORD.fullmatch(word)
    if match is None:
        return parse(word) if usual is None else usual
    if usual is not None and not _is_misread(usual, multirun):
        return _of_a_head(usual)
    key, text = match["key"], match["value"]
    bare = parse(f"{key}=x")  # raises where it is the key that cannot be read
    head = re.split(r"[./]", bare.key_or_group)[0]
    known = {"hydra", *(key.partition(".")[0] for key in _annotations(load()))}
    if bare.type == OverrideType.CHANGE and "=" in text and head not in known:
        raise ConfigError(
            f"{word} is not valid: there is no key '{bare.key_or_group}', and an override is "
            "key=value"
        )
    reader = _Reader(word, parse, bare.key_or_group)
    value = reader.value(text, multirun)
    sweep = isinstance(value, ChoiceSweep)
    kind = ValueType.SIMPLE_CHOICE_SWEEP if sweep else ValueType.ELEMENT
    # A space may be added to that of a preset.
    added = bare.key_or_group == SPACE and isinstance(value, dict)
    type_ = OverrideType.FORCE_ADD if added else bare.type
    read = dataclasses.replace(bare, type=type_, _value=value, value_type=kind, input_line=word)
    return _of_a_head(read)


def _of_a_head(override: Override) -> Override:
    """The override, which needs no + where it is of a head: which there are, the data say."""
    if override.type == OverrideType.CHANGE and override.key_or_group.startswith(HEADS):
        return dataclasses.replace(override, type=OverrideType.FORCE_ADD)
    return override


class _Reader:
    """Reads the value of one word."""

    def __init__(self, word: str, parse: Parse, key: str) -> None:
        """key: that of the word, without signs; empty for what is inside of a dict."""
        self._word, self._parse, self._key = word, parse, key
        self._is_text = takes_text(key)

    def value(self, text: str, multirun: bool) -> Any:
        """A value, or in a sweep all that are between commas."""
        # Such as a delimiter: a blank, a tab, a comma.
        if self._is_text and not text.strip(", \t"):
            return _quoted(text)
        text = text.strip()
        if self._key == SPACE and not text.startswith("{"):
            return _quoted(text)  # auto:optimizer,regularizer
        if _depth(text) > DEEPEST:
            if self._is_text:
                return _quoted(text)
            raise self._error(f"its brackets are nested more than {DEEPEST} deep")
        parts = split(text)
        if parts is None or "" in parts:
            if self._is_text and not (parts and multirun):
                return _quoted(text)
            reason = "a bracket is not closed" if parts is None else "nothing stands by a comma"
            raise self._error(
                f"{reason}; an override is key=value, such as epochs=5 or "
                "'architecture.units=[64,32]'"
            )
        # Who writes a space behind each comma has one text in mind: a name, a query.
        spaced = all(part.startswith(" ") for part in parts[1:])
        if len(parts) == 1:
            return self._element(text)
        if self._is_text and spaced and not multirun:
            return _quoted(text)
        return ChoiceSweep(list=[self._element(part) for part in parts], simple_form=True)

    def _element(self, text: str) -> Any:
        """One value: a list or a dict by its parts, what Hydra reads as Hydra has it, or text."""
        text = text.strip()
        inner = split(text[1:-1]) if text[:1] + text[-1:] in ("[]", "{}") else None
        if inner and len(inner) > 1 and not all(part.strip() for part in inner):
            raise self._error("nothing stands by a comma")
        if inner is not None and text[0] == "[":
            return [] if inner == [""] else [self._element(part) for part in inner]
        pairs = [split(part, ":", 1) or [] for part in inner or ()]
        if pairs and all(len(pair) == 2 for pair in pairs):
            return dict(self._pair(*pair) for pair in pairs)
        try:
            value = self._parse(f"x={text}")._value
        except HydraException:
            return self._unreadable(text)
        if isinstance(value, Sweep) and not self._key:
            return _quoted(text)  # of a key of `search.space`: no config can hold a sweep
        # A name that looks like a number is kept as it is typed: +1, 1_000, 007.
        is_other = _is_number(value) and self._is_text and str(value) != text
        return _quoted(text) if is_other or is_mistaken(self._key, value) else value

    def _pair(self, key: str, text: str) -> tuple[Any, Any]:
        inside = _Reader(self._word, self._parse, "")
        return inside._element(key), inside._element(text)

    def _unreadable(self, text: str) -> QuotedString:
        """Text that Hydra cannot read, unless it looks like what it nearly is."""
        if self._is_text:
            return _quoted(text)
        key = self._word.partition("=")[0]
        if call := CALL.fullmatch(text):
            known = sorted(create_functions().definitions)
            if call[1] not in known and difflib.get_close_matches(call[1], known, n=1):
                raise self._error(f"there is no function '{call[1]}': {choices(call[1], known)}")
        if text.startswith("(") and text.endswith(")"):
            raise self._error(f"a list has square brackets, {key}=[{text[1:-1]}]")
        if text.startswith("{") and "=" in text:
            raise self._error(f"a group of values has colons, {key}={text.replace('=', ':')}")
        if two := TWO.fullmatch(text):
            raise self._error(f"it holds two overrides; type them apart, {key}={two[1]} {two[2]}")
        return _quoted(text)

    def _error(self, reason: str) -> ConfigError:
        return ConfigError(f"{self._word} is not valid: {reason}")


def split(text: str, separator: str = ",", most: int = -1) -> list[str] | None:
    """The parts of a text between separators that stand in no brackets and no quotes.

    most: after so many of them the rest is one part. None where a bracket is not closed.
    """
    parts: list[str] = []
    open_: list[str] = []
    begin, quote = 0, ""
    for place, sign in enumerate(text):
        if quote:
            before = text[begin:place]
            is_escaped = (len(before) - len(before.rstrip("\\"))) % 2 == 1
            quote = "" if sign == quote and not is_escaped else quote
        elif sign in "'\"" and not text[begin:place].strip():  # not an apostrophe
            quote = sign if text.find(sign, place + 1) > 0 else ""
        elif sign in CLOSING:
            open_.append(CLOSING[sign])
        elif sign in CLOSING.values():
            if not open_ or open_.pop() != sign:
                return None
        elif sign == separator and not open_ and len(parts) != most:
            parts.append(text[begin:place])
            begin = place + 1
    return None if open_ else [*parts, text[begin:]]


def _depth(text: str) -> int:
    """How deep brackets may be nested in a text, at most."""
    depth = deepest = 0
    for sign in text:
        depth += (sign in CLOSING) - (sign in CLOSING.values())
        deepest = max(deepest, depth)
    return deepest


def takes_text(key: str) -> bool:
    """Whether some component takes text by this key."""
    return key in _text_keys(load())


def takes_fractions(key: str) -> bool:
    """Whether some component takes a number with decimals by this key."""
    return any(float in scalars_of(annotation) for annotation in _annotations(load()).get(key, ()))


def takes_lists(key: str) -> bool:
    """Whether some component takes a list by this key."""
    return any(_is_list(annotation) for annotation in _annotations(load()).get(key, ()))


def _is_misread(override: Override, multirun: bool) -> bool:
    """Whether Hydra takes what it can read for something else than was meant."""
    if override.key_or_group == SPACE:
        return isinstance(override._value, dict | ChoiceSweep)
    if not takes_text(override.key_or_group):
        return False
    if override.value() == "" and override.input_line and not override.input_line.endswith("="):
        return True  # a blank, or the quotes of an empty text
    one_text = override.value_type == ValueType.SIMPLE_CHOICE_SWEEP and not multirun
    values = _all_of(override._value)
    return one_text or any(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def is_mistaken(key: str, value: Any) -> bool:
    """Whether Hydra has read a number or a flag where only text can be meant."""
    meant = _text_keys(load()).get(key)
    return meant is not None and isinstance(value, int | float) and type(value) not in meant


@functools.cache
def _text_keys(registry: Registry) -> dict[str, frozenset[type]]:
    """The keys that take text, with the types of number that they take besides.

    Where one component takes text and another a number by the same key, text does for both: a
    number can be read of it, and no text of a number.
    """
    return {
        key: frozenset.union(*with_text) - {str}
        for key, annotations in _annotations(registry).items()
        if (with_text := [one for one in map(scalars_of, annotations) if str in one])
    }


@functools.cache
def _annotations(registry: Registry) -> dict[str, list[Any]]:
    """The types that each key has, by the settings and by every component that has it."""
    types_of: dict[str, list[Any]] = {}
    for param in settings_params():
        types_of[param.name] = [param.annotation]
        if dataclasses.is_dataclass(param.annotation):
            hints = typing.get_type_hints(param.annotation, include_extras=True)
            types_of |= {f"{param.name}.{name}": [hint] for name, hint in hints.items()}
    for component in registry.components.values():
        kind = component.kind
        place = f"{kind.key}.{component.name}" if kind.many else kind.key
        for param in component.params:
            types_of.setdefault(f"{place}.{param.name}", []).append(param.annotation)
    return types_of


def _is_list(annotation: Any) -> bool:
    """Whether a type's values are lists, or may be."""
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(_is_list(member) for member in members)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def scalars_of(annotation: Any) -> frozenset[type]:
    """The types of scalar that a value, or an item of a list, may have; a path is text."""
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return scalars_of(members[0])
    union = origin in (typing.Union, types.UnionType)
    if union or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return frozenset().union(*(scalars_of(member) for member in members))
    if annotation in (str, Path):
        return frozenset({str})
    return frozenset({annotation}) & {int, float, bool}


def _all_of(value: Any) -> Iterator[Any]:
    """The value, or those in a list or in a sweep of several."""
    if isinstance(value, ChoiceSweep):
        value = value.list if value.simple_form else []
    if isinstance(value, list):
        for item in value:
            yield from _all_of(item)
    else:
        yield value


def _whole_numbers(value: Any) -> Iterator[int]:
    """Every whole number in a value, in those of a sweep and in the ends of a range."""
    if type(value) is int:
        yield value
    elif isinstance(value, Sweep):
        for one in vars(value).values():
            yield from _whole_numbers(one)
    elif isinstance(value, dict | list):
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _whole_numbers(one)


def _quoted(text: str) -> QuotedString:
    return QuotedString(text, Quote.single if '"' in text and "'" not in text else Quote.double)

"""What is wrong with a component before it is ever called: the function against its contract."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.components.decorators import MARKS
from runner.components.kinds import EVENTS, PROJECT, Kind, kind_named
from runner.components.search_types import is_sound, search_of
from runner.components.signature import Model, Param, check, model_of, params_of, plain, type_name
from runner.errors import ConfigError, PluginError, choices


def kind_of(function: Any) -> Kind:
    """The kind that the function's decorator named."""
    return kind_named(getattr(function, f"{PROJECT}_impl")["specname"])


def listens(function: Any) -> bool:
    """Whether it is marked as one that is told of an event."""
    return hasattr(function, f"{PROJECT}_impl") and not hasattr(function, MARKS)


def unheard(function: Any) -> str | None:
    """Why a function that wants to be told of an event is not, if anything is wrong with it."""
    name = getattr(function, f"{PROJECT}_impl").get("specname") or function.__name__
    where = f"'{function.__name__}' in {function.__module__} is told of nothing"
    if name not in EVENTS:
        return f"{where}: there is no event '{name}': {choices(name, EVENTS)}"
    offers = EVENTS[name].offers
    takes = [p.name for p in inspect.signature(function).parameters.values()]
    if odd := [one for one in takes if one not in offers]:
        return f"{where}: it takes '{odd[0]}', and {name} may take {', '.join(offers)}"
    return None


@functools.cache
def complaint_of(function: Any) -> str | None:
    """The fault of a component's signature, if any: the function and the contract."""
    kind = kind_of(function)
    where = f"{kind.name} '{function.__name__}' in {function.__module__}"
    if not inspect.isfunction(function):
        thing = "a class" if isinstance(function, type) else type(function).__name__
        return f"{where} is {thing}: a component is a plain function"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return f"{where} is async, and nobody would await it: write `def`"
    if inspect.isgeneratorfunction(function):
        return f"{where} is a generator, for it has a `yield`: a component returns what it made"
    rule = (
        f"{an(kind.name)} may take {', '.join(kind.offers) or 'nothing'} before `*` "
        "and its own typed params after it"
    )
    for param in inspect.signature(function).parameters.values():
        if param.kind in (param.VAR_POSITIONAL, param.VAR_KEYWORD):
            return f"{where} takes *{param.name}, which the contract has no place for: {rule}"
        if param.kind is param.KEYWORD_ONLY:
            if param.name == "name" and not kind.many:
                return f"{where} has a param 'name', which the config uses itself: call it else"
        elif param.default is not param.empty:
            return f"{where} gives '{param.name}' a default but stands it before `*`: {rule}"
        elif param.name not in kind.offers:
            return f"{where} takes '{param.name}', which the runner does not offer: {rule}"
    mode = getattr(function, MARKS).mode
    if mode is not None and (kind.name != "metric" or mode not in ("min", "max")):
        return f"{where} says mode={mode!r}: a metric may say 'min' or 'max', another kind nothing"
    try:
        params, model = params_and_model(function)
        for odd in (param for param in params if not _is_sayable(param)):
            shown = type_name(odd.annotation)
            return f"{where}: the param '{odd.name}' is of type {shown}, which no config can hold"
        required = {p.name for p in params if p.required}
        defaults = {p.name: p.default for p in params if p.name not in required}
        if not required:
            check(model, defaults, kind.key)
        for one in params:
            if (search := search_of(one.annotation)) is not None and not is_sound(search):
                return (
                    f"{where} marks its param '{one.name}' with {search}, which names no values: "
                    "give Search(low, high), above 0 with log=True, or Search(values=[...])"
                )
        identity = getattr(function, MARKS).identity
        if identity is not None and not _accepts(identity, params):
            return f"{where} has an identity function that does not take the same params after `*`"
        profile = getattr(function, MARKS).profile
        if profile is not None and not _accepts(profile, params):
            return f"{where} has a profile function that does not take the same params after `*`"
    except (PluginError, ConfigError) as error:
        return f"{where} breaks its contract: {error}"
    except Exception as error:
        return f"{where} has a type that cannot be configured: {str(error).partition(chr(10))[0]}"
    return None


@functools.cache
def params_and_model(function: Any) -> tuple[tuple[Param, ...], Model]:
    """The params that the config may give a component, and the model that checks them."""
    params = tuple(params_of(function))
    return params, model_of(getattr(function, MARKS).name, params)


def _accepts(identity: Any, params: Sequence[Param]) -> bool:
    """Whether the function can be called with exactly these params by name."""
    try:
        inspect.signature(identity).bind(**{param.name: None for param in params})
    except TypeError:
        return False
    return True


def _is_sayable(param: Param) -> bool:
    """Whether text can say the param's values, as a config and a journal must."""
    return complex not in _types_in(param.annotation) and (
        param.required or _is_plain(plain(param.default))
    )


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in typing.get_args(annotation):
        yield from _types_in(inner)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | bytes)


def in_words(value: Any) -> str:
    """A value for a sentence about one that is wrong: None, a function, the class Adam, list."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return "a function"
    return type(value).__name__


def an(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

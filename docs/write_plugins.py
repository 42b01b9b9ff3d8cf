"""Write what three pages of docs/ take from the code: contracts, events, components, nouns.

    python docs/write_plugins.py

A test holds the files equal to what this makes of them.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.components import kinds
from runner.components.kinds import EVENTS, KINDS, SEARCH_KINDS, Kind
from runner.components.registry import Component, load
from runner.components.types import (
    ColumnProfile,
    Data,
    Findings,
    Input,
    Keeper,
    Profile,
    Recipe,
    RunWeights,
    SplitPlan,
    SplitRows,
    Splits,
    Stream,
    Summary,
    Task,
    Trained,
    Transform,
)
from runner.record.outcome import Outcome

PAGES = [Path(__file__).with_name(name) for name in ("plugins.md", "components.md", "nouns.md")]
NOUNS = (
    *(Task, Data, Splits, Stream, Input, SplitPlan, Summary, Recipe, Transform, RunWeights),
    *(SplitRows, Findings, Keeper, Trained, Profile, ColumnProfile, Outcome),
)
ARGUMENT = re.compile(r"^(\w+(?:, \w+)*): ", re.MULTILINE)
PART = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def contracts() -> Iterator[str]:
    """Every kind with its signature and its contract, whose arguments become a list."""
    for kind in (KINDS | SEARCH_KINDS).values():
        yield f"### {kind.name}\n"
        signature = inspect.signature(getattr(kinds, kind.name))
        takes = ", ".join(str(p).replace("'", "") for p in signature.parameters.values())
        gives = str(signature.return_annotation).replace("'", "")
        yield f"```python\n@{kind.name}\ndef my_{kind.name}({_star(takes)}) -> {gives}\n```\n"
        yield f"{_chosen(kind)}\n"
        yield ARGUMENT.sub(r"- **\1**: ", kind.contract) + "\n"


def events() -> Iterator[str]:
    """Every event with its signature and what it tells."""
    for event in EVENTS.values():
        yield f"### {event.name}\n"
        signature = str(inspect.signature(getattr(kinds, event.name))).replace("'", "")
        yield f"```python\n@hookimpl\ndef {event.name}{signature}\n```\n"
        yield ARGUMENT.sub(r"- **\1**: ", event.contract) + "\n"


def nouns() -> Iterator[str]:
    """Every noun with its fields and methods."""
    for noun in NOUNS:
        yield f"### {noun.__name__}\n"
        yield f"{inspect.getdoc(noun)}\n"
        sentences = field_sentences(noun)
        for field in dataclasses.fields(noun) if dataclasses.is_dataclass(noun) else ():
            if not field.repr:
                continue
            default = field.default if field.default_factory is dataclasses.MISSING else "empty"
            said = "" if default is dataclasses.MISSING else f" = {_shown(default)}"
            about = f": {sentences[field.name]}" if field.name in sentences else ""
            yield f"- **{field.name}** `{field.type}{said}`{about}"
        yield ""
        for name, method in vars(noun).items():
            function = getattr(method, "__func__", getattr(method, "fget", method))
            if not name.startswith("_") and inspect.isfunction(function) and function.__doc__:
                yield f"- `{noun.__name__}.{name}{_call(method, function)}`: {_first(function)}"
        yield ""


def field_sentences(noun: type) -> Mapping[str, str]:
    """What stands below each field, as one line."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(noun))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant):
                found[field.target.id] = " ".join(str(text.value).split())
    return found


def _shown(default: object) -> str:
    if isinstance(default, Path):
        return f"Path({str(default)!r})"
    return "empty" if default == "empty" else repr(default)


def _call(method: object, function: typing.Any) -> str:
    """The arguments of a method; nothing for a property."""
    if isinstance(method, property):
        return ""
    takes = []
    for one in list(inspect.signature(function).parameters.values())[1:]:
        star = "*" if one.kind is one.VAR_POSITIONAL else ""
        default = "" if one.default is one.empty else f" = {one.default!r}"
        takes.append(f"{star}{one.name}: {one.annotation}{default}")
    return f"({', '.join(takes)})"


def _first(function: typing.Any) -> str:
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")


def _star(takes: str) -> str:
    """The arguments with a place for params of one's own."""
    return f"{takes}, *, ..." if takes else "*, ..."


def _chosen(kind: Kind) -> str:
    """How the config names components of the kind."""
    if kind.name in SEARCH_KINDS:
        params = f"`{kind.key}={{name:my_{kind.name},key:value}}` with params"
        return f"The command names one: `{kind.key}=my_{kind.name}`, {params}."
    if not kind.many:
        return f"The config chooses one: `{kind.key}=my_{kind.name}`."
    order = " in this order" if kind.ordered else ""
    return f"The config chooses any number{order}: `{kind.key}=[my_{kind.name},other]`."


def components() -> Iterator[str]:
    """Every built-in component with its params."""
    for kind in (KINDS | SEARCH_KINDS).values():
        yield f"### {kind.name}\n"
        yield from _shared(kind)
        for component in load().of_kind(kind.name):
            if component.distribution == "sweephouse":
                yield from _component(component)


def _shared(kind: Kind) -> Iterator[str]:
    """The params that all built-in components of a kind have, said once."""
    if common := _common(kind):
        yield "All of them have " + ", ".join(f"`{p}`" for p in common) + ".\n"


def _common(kind: Kind) -> list[str]:
    every = [c for c in load().of_kind(kind.name) if c.distribution == "sweephouse"]
    if not every:
        return []
    described = [[p.describe() for p in component.params] for component in every]
    first = described[0] if described else []
    common = [p for p in first if all(p in others for others in described)]
    return common if len(common) > 2 else []


def _component(component: Component) -> Iterator[str]:
    names = ", ".join(f"`{name}`" for name in component.marks.aliases)
    also = f" Also {names}." if names else ""
    yield f"- **{component.name}**: {_sentence(component.summary)}{also}"
    common = _common(component.kind)
    for param in component.params:
        if (said := param.describe()) not in common:
            yield f"  - `{said}`"
    rest = inspect.getdoc(component.function) or ""
    if more := " ".join(rest.partition("\n")[2].split()):
        yield f"\n  {more}"
    yield ""


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


PARTS: dict[str, typing.Callable[[], Iterator[str]]] = {
    "contracts": contracts,
    "events": events,
    "components": components,
    "nouns": nouns,
}


def page(path: Path) -> str:
    """The page as it should be."""

    def fill(part: re.Match[str]) -> str:
        lines = "\n".join(PARTS[part[2]]())
        return f"{part[1]}\n{lines.rstrip()}\n\n{part[3]}"

    return PART.sub(fill, path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(page(path), encoding="utf-8")

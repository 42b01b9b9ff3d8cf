"""Write what docs/plugins.md takes from the code: contracts, events, components, params.

    python docs/write_plugins.py

A test holds the file equal to what this makes of it.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

from runner.components import kinds
from runner.components.kinds import EVENTS, KINDS, SEARCH_KINDS, Kind
from runner.components.registry import Component, load

PAGE = Path(__file__).with_name("plugins.md")
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
}


def page() -> str:
    """docs/plugins.md as it should be."""

    def fill(part: re.Match[str]) -> str:
        lines = "\n".join(PARTS[part[2]]())
        return f"{part[1]}\n{lines.rstrip()}\n\n{part[3]}"

    return PART.sub(fill, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

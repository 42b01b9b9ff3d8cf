"""The text of `python -m runner --help`: every key, every component, every param."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from runner import engines
from runner.commands.table import of_packages, parsers
from runner.components.component import BUILT_IN, Component
from runner.components.kinds import KINDS, SEARCH_KINDS
from runner.components.registry import load
from runner.config.folders import FOLDER, own_presets, presets
from runner.config.settings import ABOUT, settings_params
from runner.system.extensions import DISABLE, ENGINES, LAUNCHERS, extensions

HEAD = """\
Sweephouse trains what a config composes, and records it in a DuckDB warehouse.

usage: python -m runner [key=value ...] [--multirun] [Hydra's options]
       python -m runner COMMAND ...

  python -m runner                                            the default experiment
  python -m runner experiment=mnist_cnn epochs=3              a preset, one key changed
  python -m runner architecture.units=[128,64] regularizer=[l2] regularizer.l2.strength=1e-3
  python -m runner look sales.csv                             a table of yours: what it holds, and
                                                              the command that trains on it
  python -m runner --multirun optimizer=adam,sgd seed=range(5)
  python -m runner --multirun 'zip(batch_size=16,32,epochs=10,20)'      pairs: two runs, not four
  python -m runner --multirun 'join(optimizer=adam; optimizer=sgd optimizer.momentum=0,0.9)'
  python -m runner --plugin my_net.py architecture=my_net     components of a file of yours
  python -m warehouse runs                                    what came of it

A value is typed as it is, between single quotes where the shell needs them:
'dataset.label=Alter (J.)'. Commas are for --multirun (-m, anywhere in the line), a list has
brackets, and +note=text is kept as a note.
--cfg job prints the composed config, --info how it was composed, --hydra-help Hydra's options.
"""


def help_text() -> str:
    """The whole help."""
    return "\n".join([HEAD, *_commands(), *_settings(), *_components(), *_tail()])


def _commands() -> Iterator[str]:
    yield "COMMANDS (each has its own --help)"
    for name, parser in parsers().items():
        yield f"  {name:<12} {parser.description}"
    for name, command in of_packages().items():
        yield f"  {name:<12} of {command.distribution} {command.version}"
    yield ""


def _settings() -> Iterator[str]:
    yield "KEYS"
    for param in settings_params():
        yield _wrapped(f"  {param.describe()}", ABOUT[param.name])
    yield _wrapped("  experiment: a preset", ", ".join(sorted(presets())))
    own = ", ".join(own_presets()) or "none here"
    yield _wrapped("", f"or your own, experiment/ in --config-dir, {FOLDER} or ./conf: {own}")
    ours = ((ENGINES, "engine", engines.ENGINES), (LAUNCHERS, "hydra/launcher", ()))
    for group, key, taken in ours:
        for name, one in extensions(group, taken).items():
            yield _wrapped(f"  {key}={name}", f"of {one.distribution} {one.version}")
    yield ""


def _components() -> Iterator[str]:
    registry = load()
    for kind in (KINDS | SEARCH_KINDS).values():
        several = f"{kind.key}=[a,b]" if kind.many else f"{kind.key}=a"
        yield f"{kind.name.upper()} ({several})"
        for component in registry.of_kind(kind.name):
            yield from _component(component)
        yield ""


def _component(component: Component) -> Iterator[str]:
    yield _wrapped(f"  {component.name}", f"{component.summary}{_origin(component)}")
    if component.params:
        params = ", ".join(param.describe() for param in component.params)
        yield textwrap.fill(params, 99, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _origin(component: Component) -> str:
    """The package, or file, that a component is of; nothing for our own."""
    if component.distribution == BUILT_IN:
        return ""
    version = "" if component.is_loose else f" {component.version}"
    return f" (of {component.distribution}{version})"


def _tail() -> Iterator[str]:
    yield f"{DISABLE}=plugin,kind/name leaves plugins or single components out."


def _wrapped(head: str, text: str) -> str:
    """The head, and the text beside it in a column of its own; paths stay whole."""
    first = f"{head:<28} " if len(head) < 28 else f"{head}  "
    wrapper = textwrap.TextWrapper(
        99, subsequent_indent=" " * 29, break_on_hyphens=False, break_long_words=False
    )
    return wrapper.fill(first + text)

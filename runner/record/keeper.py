"""What components leave behind for their run: figures, tables and files on their way to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.components.faults import in_words
from runner.components.types import Findings
from runner.errors import PluginError, RunnerError
from runner.record.contents import (
    LARGEST,
    Content,
    Warn,
    figure_content,
    file_content,
    table_content,
    too_large,
)
from runner.record.events import Found
from runner.system.terminal import complain


class RunKeeper:
    """The argument `run` of datasets and callbacks.

    What comes before the run has begun waits for it.
    """

    def __init__(self, run_id: str = "", most: int = LARGEST) -> None:
        """most: bytes of a thing that is kept."""
        self._run_id, self._most = run_id, most
        self._emit: Callable[[Found], None] | None = None
        self._is_over = False
        self.waiting: list[Found] = []

    def begin(self, emit: Callable[[Found], None]) -> None:
        """Hand on what has waited, and from now on all else at once."""
        self._emit = emit
        for found in self.waiting:
            emit(found)
        self.waiting = []

    def end(self) -> None:
        """Take nothing more."""
        self._is_over = True

    def found_for(self, run_id: str) -> Iterator[Found]:
        """What was left behind, for one of the runs that share it."""
        return (replace(found, run_id=run_id) for found in self.waiting)

    def figure(self, figure: Any, name: str = "figure", epoch: int | None = None) -> None:
        """Keep a figure of Matplotlib or Altair, or SVG as text."""
        self._keep(figure_content(figure, name, self._warn), epoch)

    def table(self, frame: Any, name: str = "table", epoch: int | None = None) -> None:
        """Keep a table as Parquet: a DataFrame, columns by name, or a list of dicts."""
        self._keep(table_content(frame, name), epoch)

    def artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        kind: str = "file",
        epoch: int | None = None,
    ) -> None:
        """Keep a copy of a file."""
        content = file_content(path, name, kind, self._most, self._warn)
        if content is not None:
            self._keep(content, epoch)

    def _keep(self, content: Content, epoch: int | None) -> None:
        if self._is_over:
            raise RunnerError(f"run {self._run_id} has ended, and nothing more is kept of it")
        if not _fits(content, self._most, self._warn):
            return
        found = Found(self._run_id, content, epoch)
        if self._emit is None:
            self.waiting.append(found)
        else:
            self._emit(found)

    def _warn(self, sentence: str) -> None:
        whose = f"run {self._run_id}: " if self._run_id else ""
        complain(f"warning: {whose}{sentence}")


def contents_of(findings: Findings, whose: str, most: int, warn: Warn) -> list[Content]:
    """What an evaluator found, but for its metrics, as it is stored.

    whose: the component's name, which goes before all names. warn: told of what is left out.

    Raises PluginError for what is no figure, table or file.
    """
    ways: list[tuple[str, Callable[[Any, str], Content | None]]] = [
        ("figures", functools.partial(figure_content, warn=warn)),
        ("tables", table_content),
        ("files", lambda file, name: file_content(file, name, "file", most, warn)),
    ]
    contents = []
    for group, made in ways:
        things = getattr(findings, group)
        if not isinstance(things, Mapping):
            raise PluginError(f"its {group} are {in_words(things)}, not things by name")
        for name, thing in things.items():
            try:
                content = made(thing, f"{whose}.{name}")
            except RunnerError as error:
                raise PluginError(f"'{name}' among its {group}: {error}") from error
            if content is not None and _fits(content, most, warn):
                contents.append(content)
    return contents


def _fits(content: Content, most: int, warn: Warn) -> bool:
    """Whether a thing is small enough to be kept."""
    if len(content.content) <= most:
        return True
    warn(too_large(f"the {content.kind} '{content.name}'", len(content.content), most))
    return False

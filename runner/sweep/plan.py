"""A run before it is trained: its config, what the data are, its fingerprint."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from runner.components.signature import plain
from runner.components.types import Data, Splits, Stream
from runner.config.config import Choice, Config
from runner.config.fingerprint import files_of, fingerprint
from runner.config.settings import OF_DATA
from runner.data.identity import data_identity, file_hashes
from runner.data.parts import named
from runner.data.prepare import Prepared, load, parts, prepare
from runner.errors import RunnerError
from runner.journal.ids import new_run_id
from runner.journal.results import results_folder
from runner.model.checkpoint import Checkpoint
from runner.record.keeper import RunKeeper
from runner.system import stops
from warehouse.place import use_lake

KEPT_BYTES = 2**30
"""Prepared data of more than that are not kept when their runs have ended."""


class Source:
    """A dataset as runs share it: loaded when first asked for, and again where it was let go.

    When its runs have ended, it may be kept for later ones on the same data, until another
    dataset is asked for: a search trains batch after batch.
    """

    _kept: ClassVar[Source | None] = None

    def __init__(self, config: Config) -> None:
        """config: any of those that name the dataset and its params."""
        self._config = config
        self._identity = ""
        """Of the data, where it is kept."""
        self._data: Data | Splits | None = None
        self.keeper = RunKeeper(most=config.settings.max_artifact)
        """What the dataset left behind when it was loaded."""
        self._prepared: tuple[str, Prepared] | None = None
        """The data as they were prepared last, and their key."""

    @property
    def data(self) -> Data | Splits:
        """The data as the dataset returned them; DataError where it breaks the contract."""
        if Source._kept not in (None, self):
            Source._kept.release()
            gc.collect()  # what trained on them refers to itself, and to them
        if self._data is None:
            self.keeper.waiting.clear()
            self._data = load(self._config, keeper=self.keeper)
        return self._data

    def prepared(self, config: Config) -> Prepared:
        """The data, prepared as the config says."""
        key = data_key(config)
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = None  # no two at once
            self._prepared = key, prepare(self.data, config)
        return self._prepared[1]

    def release(self) -> None:
        """Let go of the data."""
        self._data = self._prepared = None
        if Source._kept is self:
            Source._kept = None

    def keep(self, identity: str) -> None:
        """Keep the data for later runs, unless they are large; let go of them otherwise.

        identity: that of the data.
        """
        if self._prepared is None or _bytes_of(self._prepared[1]) > KEPT_BYTES:
            self.release()
        else:
            self._identity, Source._kept = identity, self

    @staticmethod
    def kept(config: Config, identity: str) -> Source | None:
        """The source that is kept, if its data are those of the config."""
        kept = Source._kept
        if kept is None or kept._identity != identity:
            return None
        # Another component of that name may be there by now.
        same = kept._config.one("dataset").component is config.one("dataset").component
        return kept if same and source_key(kept._config) == source_key(config) else None


def _bytes_of(data: Prepared) -> float:
    """The memory that the data take; without end where they are a stream."""
    size = 0
    for _, part in parts(data.splits):
        if isinstance(part, Stream):
            return math.inf
        features, targets = part
        size += targets.nbytes + sum(array.nbytes for array in named(features).values())
    return size


@dataclass(frozen=True)
class Run:
    """One training of one composed config with one seed, planned but not begun."""

    run_id: str
    config: Config
    fingerprint: str
    identity: str
    """Of the data: equal identity, equal data."""
    experiment: str
    overrides: Sequence[str]
    source: Source
    base: Path = field(default_factory=Path)
    """Where the user stands, against which a relative results folder counts."""
    trouble: BaseException | None = None
    """The error that a component raised when the run was planned."""
    sweep_id: str | None = None
    sweep_jobs: int | None = None
    """How many jobs the sweep has, where that is known."""
    resumed_from: str | None = None
    resume: Checkpoint | None = None
    """Where to go on, rather than begin."""
    extended_from: str | None = None
    extension: str | None = None
    """Of an extended run "exact", or why it may differ from one of so many epochs."""
    replay_of: str | None = None
    into: Path | None = None
    """The folder that keeps what comes of it, where that is not the one its config names."""

    @property
    def data(self) -> Data | Splits:
        """The data of its dataset; raises what that raised when the run was planned."""
        if self.trouble is not None:
            raise self.trouble
        return self.source.data

    @property
    def results(self) -> Path:
        """The folder that keeps what comes of it."""
        return self.into or results_folder(self.config.settings.results, self.base)


def enter_lake(config: Config, results: Path) -> None:
    """Have the folder's runs go into the lake that the config names, if any."""
    if config.settings.lake:
        use_lake(results, config.settings.lake)


def plan(config: Config, experiment: str, overrides: Sequence[str], **relations: Any) -> Run:
    """The run that a config means, with its fingerprint; as a rule nothing is loaded for it.

    relations: base, sweep_id, sweep_jobs, resumed_from, resume, extended_from, extension,
        replay_of, into.

    Raises DataError where the dataset's files are missing.
    """
    return Planner().plan(config, experiment, overrides, **relations)


class Planner:
    """A planner of runs; a dataset that many of them name is identified once."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._identities: dict[str, str | BaseException] = {}

    def plan(
        self, config: Config, experiment: str, overrides: Sequence[str], **relations: Any
    ) -> Run:
        """As the function `plan` does."""
        key = source_key(config)
        source = self._sources.setdefault(key, Source(config))
        run = Run(new_run_id(), config, "", "", experiment, overrides, source, **relations)
        enter_lake(config, run.results)
        identity = self._identity(key, run)
        if isinstance(identity, RunnerError):
            raise identity
        files = files_of(config)
        contents = dict(zip(files, file_hashes(files, run.results), strict=True))
        if isinstance(identity, BaseException):
            # A component's mistake: it is raised again, and recorded, when the run begins.
            unknown = fingerprint(config, "unknown", contents)
            return replace(run, fingerprint=unknown, trouble=identity)
        known = fingerprint(config, identity, contents)
        source = self._sources[key] = Source.kept(config, identity) or source
        return replace(run, fingerprint=known, identity=identity, source=source)

    def _identity(self, key: str, run: Run) -> str | BaseException:
        if key not in self._identities:
            try:
                self._identities[key] = data_identity(
                    run.config.one("dataset"), self._loading(run.source), run.results
                )
            except (Exception, SystemExit) as error:
                stops.check()
                self._identities[key] = error
        return self._identities[key]

    def _loading(self, source: Source) -> Callable[[], Data | Splits]:
        def load_alone() -> Data | Splits:
            """The data are kept for the training, but no two datasets at once."""
            for other in self._sources.values():
                if other is not source:
                    other.release()
            return source.data

        return load_alone


def source_key(config: Config) -> str:
    """Key of a dataset: equal keys, the same data from `load`."""
    return json.dumps([_named(config.one("dataset")), plain(config.settings.split)])


def data_key(config: Config) -> str:
    """Key of prepared data: equal keys, the same data from `prepare`."""
    settings = {name: plain(getattr(config.settings, name)) for name in OF_DATA}
    steps = [_named(choice) for choice in config.chosen["preprocessing"]]
    return json.dumps([source_key(config), steps, settings])


def _named(choice: Choice) -> list[Any]:
    return [choice.component.name, plain(choice.params)]

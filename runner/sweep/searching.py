"""A search as the warehouse remembers it: what it tried, what came of it, what to try next.

Nothing else is remembered, so that one that was stopped anywhere goes on as if it had not been:
what is suggested is recorded before it is trained, and what a sampler is told comes from there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.components.search_types import Dimension, History, PastTask, Space, Suggestion, Trial
from runner.components.signature import plain
from runner.config.config import Choice, Config
from runner.config.settings import NAMES, OF_OUTCOME, SearchSettings
from runner.errors import ConfigError, PluginError, RunnerError, choices, in_one_line, trace_of
from runner.journal.file import write_journal
from runner.journal.ids import new_run_id, now
from runner.journal.records import SearchBegun, Suggestions
from runner.journal.results import JOURNALS
from runner.search.ask import as_text, ask, from_record
from runner.search.objectives import Aims, best_places
from runner.search.packs import few_structures, most_structures
from runner.search.pruning import NONE
from runner.search.space import words_of
from runner.sweep.past import folder_of, past_tasks
from runner.system.paths import from_home
from runner.system.terminal import complain
from warehouse.journals.read import CARE
from warehouse.lake.address import ENVIRONMENT
from warehouse.lake.address import NONE as NO_LAKE
from warehouse.place import Place
from warehouse.searches import Suggested, begun, metrics_of, suggested

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.ingest.ingest import Look

OPEN = (None, "running", "lost")
"""Statuses of a trial that is still to be trained; so is one that was stopped, but for those."""
AS_ENDED = ("pruned", "own_max_seconds")
"""Reasons for which nobody has to come back."""
BATCH, LARGE_BATCH = 8, 16
"""Trials that are asked for at once, as a rule, and in a search of many."""
MANY = 128
MORE_SEEDS = 3
"""With which the best configurations are trained again."""


@dataclass(frozen=True)
class Job:
    """A trial to be trained."""

    number: int
    words: list[str]


@dataclass(frozen=True)
class Plan:
    """What a command asks of a search."""

    space: Space
    fixed: Sequence[str]
    """The overrides that all jobs have."""
    settings: SearchSettings
    sampler: Choice
    aims: Aims
    config: Config
    """Of the first configuration of the space."""
    experiment: str
    identity: str
    """Of the data."""
    results: Path
    base: Path
    """Where the user stands."""
    sweep_id: str
    packs: bool = False
    """Whether trials of one structure train as one program."""

    @property
    def search_id(self) -> str:
        """Equal for commands that go on with one another."""
        body = self.config.plain()
        defining = [
            described(self.space),
            {key: value for key, value in body.items() if key in OF_OUTCOME or key not in NAMES},
            [self.identity, self.experiment],
            [self.aims.objectives, [one.text for one in self.aims.constraints]],
            [self.sampler.component.name, plain(self.sampler.params), self.settings.seed],
            self.history,
        ]
        text = json.dumps(defining, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def history(self) -> str:
        """Where other tasks are looked for: here, none, lake, or a folder."""
        asked = self.settings.history
        return asked if asked in ("here", "none", "lake") else str(self.base / from_home(asked))

    @property
    def batch(self) -> int:
        """How many trials are asked for at once."""
        many = LARGE_BATCH if self.settings.trials >= MANY else BATCH
        return self.settings.batch or many


class Search:
    """A search, one command of it: what is there, and what comes next."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.search_id = plan.search_id
        self.rows: list[Suggested] = []
        """All trials, in their order."""
        self._launched: set[int] = set()
        self._began: str | None = None
        self._past: dict[str, tuple[PastTask, ...]] = {}
        self.before: DuckDBPyConnection | None = None
        """What was there when this command began; None where that was nothing."""
        if plan.history == "lake" and Place.of(plan.results).lake is None:
            raise ConfigError(
                "search.history=lake is not valid: there is no lake; name it by lake= or "
                f"{ENVIRONMENT}"
            )
        elsewhere = plan.history not in ("here", "none", "lake")
        self._past_folder = folder_of(plan.history) if elsewhere else None
        """Where the other tasks are, if not with this one."""

    def begin(self) -> None:
        """Look up what is there, and record that this command goes on with it."""
        if Place.of(self.plan.results).has_runs:
            self._take_in()
            self.before = warehouse.connect(self.plan.results)
            self._began = begun(self.before, self.search_id)
            self._look(self.before)
        settings = dataclasses.asdict(self.plan.settings) | {"fixed": list(self.plan.fixed)}
        record = SearchBegun(
            entry_id=new_run_id(),
            search_id=self.search_id,
            sweep_id=self.plan.sweep_id,
            begun_at=now(),
            sampler=self.plan.sampler.component.name,
            objectives=self.plan.aims.objectives,
            space=described(self.plan.space),
            settings=settings,
        )
        self._began = self._began or record.begun_at
        _write(self.plan.results, record)

    def read(self) -> None:
        """Ask the warehouse what came of the trials."""
        results = self.plan.results
        # A lake is better fed now and then. Else the journals of all earlier batches would be read
        # anew after each.
        if Place.of(results).lake is not None or not self._take_in(self._look):
            with warehouse.connect(results) as connection:
                self._look(connection)

    def _take_in(self, then: Look | None = None) -> bool:
        """Have what has ended taken in, and looked at then; whether that could be done."""
        taken = warehouse.sync(self.plan.results, then=then)
        for problem in taken.problems:
            complain(f"warning: {problem}")
        return not taken.reason

    def _look(self, connection: DuckDBPyConnection) -> None:
        self.rows = suggested(connection, self.search_id, self.plan.aims.metrics)
        self._check_metrics(connection)

    @property
    def trials(self) -> list[Trial]:
        """The trials that are over, in their order."""
        return self.ended[1]

    @property
    def ended(self) -> tuple[list[Suggested], list[Trial]]:
        """The trials that are over, as the warehouse and as samplers have them."""
        rows = [row for row in self.rows if not self._is_open(row)]
        return rows, [self._trial(row) for row in rows]

    def words(self, row: Suggested) -> list[str]:
        """The overrides that train a trial."""
        return [*self.plan.fixed, *self.varied(row)]

    def varied(self, row: Suggested) -> list[str]:
        """Those of them that are the trial's own."""
        return words_of(self.plan.space, from_record(self.plan.space, row.params))

    @property
    def is_exhausted(self) -> bool:
        """Whether every configuration of the space was tried."""
        return len(self.rows) >= self.plan.space.size

    def left(self) -> list[Job]:
        """The trials that were suggested and are still to be trained."""
        jobs = []
        for row in filter(self._is_open, self.rows):
            job = Job(row.number, self.words(row))
            if " ".join(job.words) != row.job:  # this command names another device, say
                self._record(row.batch, [(job, Suggestion(row.params, *row.why))])
            jobs.append(job)
        return jobs

    def ask(self) -> list[Job]:
        """Have the sampler suggest the next batch, and record it; nothing where it has none.

        Raises PluginError for a sampler that fails.
        """
        plan, trials = self.plan, self.trials
        sampler, settings = plan.sampler, plan.settings
        n = min(plan.batch, settings.trials - len(self.rows))
        history = History(tuple(trials), self._past_tasks())
        try:
            answer = ask(sampler, plan.space, history, n, settings.seed, plan.aims.count)
        except RunnerError:
            raise
        except Exception as error:
            complain(trace_of(error) or "")
            raise PluginError(
                f"the sampler '{sampler.component.name}' has ended the search: "
                f"{in_one_line(error)}; its {len(self.rows)} trials are kept, and the same "
                "command goes on from there"
            ) from error
        if plan.packs and plan.space.size == math.inf:  # a grid keeps its points
            answer = few_structures(plan.space, answer, most_structures(n))
        first = len(self.rows) + 1
        jobs = [self._job(number, one.params) for number, one in enumerate(answer, first)]
        batch = self.rows[-1].batch + 1 if self.rows else 1
        if jobs:
            self._record(batch, list(zip(jobs, answer, strict=True)))
        return jobs

    def launched(self, jobs: Iterable[Job]) -> None:
        """Note that the jobs were handed over: one without a run has come to nothing."""
        self._launched |= {job.number for job in jobs}

    def confirmations(self) -> list[Job]:
        """The best configurations with more seeds; none where the seed itself is varied."""
        plan = self.plan
        if plan.aims.count > 1 or any(dimension.name == "seed" for dimension in plan.space):
            return []
        trials, jobs = self.trials, []
        for place in best_places(trials, plan.settings.confirm):
            words = self._job(0, trials[place].params).words
            kept = [word for word in words if word.partition("=")[0] != "seed"]
            if any(word.startswith("search.pruner=") for word in kept) or self._prunes:
                kept = [word for word in kept if not word.startswith("search.pruner=")]
                kept.append("search.pruner=none")
            for more in range(1, MORE_SEEDS + 1):
                seed = (plan.config.settings.seed + more) % 2**32
                jobs.append(Job(0, [*kept, f"seed={seed}"]))
        return jobs

    @property
    def best(self) -> tuple[Suggested, float] | None:
        """The best trial so far and its value, by the first objective."""
        rows, trials = self.ended
        places = best_places(trials, 1)
        if not places:
            return None
        row = rows[places[0]]
        return row, row.values[self.metric(row)][0]

    def metric(self, row: Suggested) -> str:
        """The name of the first objective."""
        return (self.plan.aims.objectives or (row.monitor or "",))[0]

    @property
    def failed(self) -> list[Suggested]:
        """The trials of this command that came to nothing."""
        ended = [row for row in self.rows if row.number in self._launched]
        return [row for row in ended if row.status in (*OPEN, "failed")]

    @property
    def _prunes(self) -> bool:
        return self.plan.settings.pruner != NONE

    def _is_open(self, row: Suggested) -> bool:
        """Whether the trial is still to be trained: only those of the last batch may be."""
        if row.number in self._launched or row.batch < self.rows[-1].batch:
            return False
        return row.status in OPEN or (row.status == "stopped" and row.reason not in AS_ENDED)

    def _trial(self, row: Suggested) -> Trial:
        params = from_record(self.plan.space, row.params)
        status = row.status or "failed"
        return self.plan.aims.trial(params, row.sampler, row.monitor or "", row.values, status)

    def _job(self, number: int, params: Any) -> Job:
        return Job(number, [*self.plan.fixed, *words_of(self.plan.space, params)])

    def _past_tasks(self) -> tuple[PastTask, ...]:
        """The trials of other tasks that had ended when the search first began."""
        plan = self.plan
        if plan.history == "none":
            return ()
        monitor = next((row.monitor for row in self.rows if row.monitor), None)
        metric = (plan.aims.objectives or (monitor or _monitor(plan.config),))[0]
        if metric not in self._past:
            assert self._began is not None
            of_task = plan.space, plan.config, plan.identity, metric, self._began
            if self._past_folder is not None:
                with warehouse.connect(self._past_folder, lake=NO_LAKE) as elsewhere:
                    self._past[metric] = past_tasks(elsewhere, *of_task)
            else:
                self._past[metric] = past_tasks(self.before, *of_task) if self.before else ()
        return self._past[metric]

    def _check_metrics(self, connection: Any) -> None:
        """Raise ConfigError for an objective or a constraint that no run has."""
        ended = [row for row in self.rows if row.status == "finished" and row.run_id]
        for metric in self.plan.aims.metrics:
            if ended and not any(metric in row.values for row in ended):
                have = metrics_of(connection, [str(row.run_id) for row in ended])
                key = "objectives" if metric in self.plan.aims.objectives else "require"
                raise ConfigError(
                    f"search.{key} names '{metric}', which no run has: {choices(metric, have)}"
                )

    def _record(self, batch: int, tried: Sequence[tuple[Job, Suggestion]]) -> None:
        record = Suggestions(
            entry_id=new_run_id(),
            search_id=self.search_id,
            sweep_id=self.plan.sweep_id,
            suggested_at=now(),
            batch=batch,
            sampler=self.plan.sampler.component.name,
            number=[job.number for job, _ in tried],
            job=[" ".join(job.words) for job, _ in tried],
            params=[as_text(one.params) for _, one in tried],
            slot=[one.slot for _, one in tried],
            mean=[_number(one.mean) for _, one in tried],
            deviation=[_number(one.deviation) for _, one in tried],
            prior=[_number(one.prior) for _, one in tried],
            evidence=[_number(one.evidence) for _, one in tried],
        )
        _write(self.plan.results, record)


def described(space: Space) -> dict[str, Any]:
    """A space as JSON can say it: dimension -> what it may be."""
    return {one.name: _described(one) for one in space}


def _described(dimension: Dimension) -> dict[str, Any]:
    about = dataclasses.asdict(dimension)
    del about["name"]
    unused = ("low", "high", "log") if dimension.kind == "choice" else ("choices", "ordered")
    return {key: value for key, value in about.items() if key not in unused}


def _monitor(config: Config) -> str:
    """What the runs will monitor, as far as the config says."""
    return config.settings.monitor or ("val_loss" if config.settings.split.val else "loss")


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _write(results: Path, record: SearchBegun | Suggestions) -> None:
    """Record it, in a journal of its own; JournalError where that cannot be done."""
    write_journal(results / JOURNALS, f"{CARE}{record.entry_id}", [record])

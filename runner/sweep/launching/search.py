"""`hydra/sweeper=search`: batches of trials that a sampler suggests, handed to any launcher."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from runner.components.passwords import refuse_passwords
from runner.components.registry import load
from runner.components.signature import check
from runner.config.config import Config
from runner.config.settings import SearchSettings, SweepSettings, settings_model
from runner.errors import ConfigError, RunnerError
from runner.journal.results import results_folder
from runner.search.ask import sampler_of
from runner.search.objectives import aims_of
from runner.search.packs import structures_of
from runner.search.pruning import NONE
from runner.search.space import asked_of, words_of
from runner.sweep.earlier import with_parents
from runner.sweep.launching.jobs import Composer
from runner.sweep.launching.packed import PackedLauncher
from runner.sweep.plan import plan
from runner.sweep.pruning import pruner_named
from runner.sweep.searching import MORE_SEEDS, Job, Plan, Search
from runner.sweep.sweep import Sweep
from runner.system.terminal import complain, say

OF_SEARCH = ("search", "sweep")
"""Settings that say which jobs there are: no part of a job's overrides."""
OF_JOBS = ("search.pruner",)
"""Those of them that a job needs."""


class SearchSweeper(Sweeper):
    """The sweeper: it asks for a batch, has it launched, looks what came of it, and asks again."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a sweeper works with, as Hydra asks.

        task_function: the method of the command's sweep that trains one job.
        """
        self._loader, self._master = hydra_context.config_loader, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        sweep = getattr(task_function, "__self__", None)
        assert isinstance(sweep, Sweep)
        self._sweep = sweep
        self._handed_over = 0

    def sweep(self, arguments: list[str]) -> None:
        """Search, until there are as many trials as were asked for.

        Raises HydraException for what is wrong before anything trains, RunnerError for what ends
        the search later: it has been said.
        """
        try:
            refuse_passwords(OmegaConf.to_container(self._master, resolve=False), "")
            asked, limits = self._plan(arguments)
            search = Search(asked)
            self._foretell(asked)
            search.begin()
        except RunnerError as error:
            raise HydraException(str(error)) from None
        self._sweep.search, self._sweep.results = search, asked.results
        self._sweep.limits.follow(limits)
        folder = Path(str(self._master.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._master, folder / "multirun.yaml")
        try:
            if _Loop(search, limits, self._launch, self._sweep).run():
                self._launch(search.confirmations(), search)
        except RunnerError as error:
            complain(f"error: {error}")
            raise

    def _foretell(self, asked: Plan) -> None:
        """Let the launcher of packs know what comes; pruned runs need each other's company."""
        if isinstance(self._launcher, PackedLauncher) and asked.settings.pruner == NONE:
            structures = structures_of(asked.space)
            self._launcher.expect(asked.config.settings, asked.settings.trials, structures)

    def _plan(self, arguments: list[str]) -> tuple[Plan, SweepSettings]:
        """The search that the overrides mean; ConfigError and the like where they mean none."""
        parser = OverridesParser.create(config_loader=self._loader)
        overrides = parser.parse_overrides(arguments)
        composer = Composer(self._loader, self._master)

        def compose(words: Sequence[str]) -> Config:
            config = composer.job(words).config
            if isinstance(config, RunnerError):
                raise config
            return config

        settings, limits = self._settings(overrides)
        registry, aims = load(), aims_of(settings)
        sampler = sampler_of(settings, registry, aims.count)
        pruner_named(settings.pruner)  # a wrong one is told before anything is recorded
        asked = asked_of(overrides, settings, compose, registry)
        fixed = [word for word in asked.fixed if _is_of_job(word)]
        first = asked.space.params([0.0] * len(asked.space))
        words = [*fixed, *words_of(asked.space, first)]
        job = composer.job(words)
        if isinstance(job.config, RunnerError):
            raise job.config
        config = with_parents(job.config, composer.folder)
        run = plan(config, job.experiment, words, base=composer.folder)
        return Plan(
            space=asked.space,
            fixed=fixed,
            settings=settings,
            sampler=sampler,
            aims=aims,
            config=config,
            experiment=job.experiment,
            identity=run.identity,
            results=results_folder(config.settings.results, composer.folder),
            base=composer.folder,
            sweep_id=self._sweep.sweep_id,
            packs=isinstance(self._launcher, PackedLauncher)
            and config.settings.engine in ("auto", "packed"),
        ), limits

    def _settings(self, overrides: Sequence[Override]) -> tuple[SearchSettings, SweepSettings]:
        """What the command line, or its preset, says of the search and of sweeps."""
        words = [
            str(one.input_line)
            for one in overrides
            if not one.is_sweep_override()
            and one.key_or_group.partition(".")[0] in (*OF_SEARCH, "experiment")
        ]
        if odd := [one for one in overrides if one.is_sweep_override() and _is_setting(one)]:
            raise ConfigError(f"{odd[0].input_line} is not valid: a search has one {_key(odd[0])}")
        composed = self._loader.load_sweep_config(self._master, words)
        body = {name: OmegaConf.to_container(composed[name], resolve=True) for name in OF_SEARCH}
        checked = check(settings_model(), body, "")
        return checked["search"], checked["sweep"]

    def _launch(self, jobs: Sequence[Job], search: Search) -> None:
        """Have the jobs trained, and learn what came of them."""
        if not jobs:
            return
        returned = self._launcher.launch(
            [job.words for job in jobs], initial_job_idx=self._handed_over
        )
        self._handed_over += len(jobs)
        for one in returned:
            if one.status == JobStatus.FAILED:
                error = one._return_value
                if not isinstance(error, RunnerError):
                    _ = one.return_value  # raises it, with what it looks like from inside
                self._sweep.refuse(str(error))
        if not self._sweep.limits.reached:  # else some were not begun, and are still to come
            search.launched(jobs)
        search.read()


class _Loop:
    """The trials of one command: asked for, launched, counted."""

    def __init__(self, search: Search, limits: SweepSettings, launch: Any, sweep: Sweep) -> None:
        self._search, self._limits = search, limits
        self._launch, self._sweep = launch, sweep
        self._trials = search.plan.settings.trials
        self._possible = int(min(self._trials, search.plan.space.size))
        self._began = time.monotonic()
        self._there = len(search.rows)

    def run(self) -> bool:
        """Go on until there are as many trials as asked for; whether nothing cut it short.

        Raises ConfigError where there are more already, and whatever ends a search.
        """
        search = self._search
        jobs = search.left()
        self._there -= len(jobs)
        if len(search.rows) > self._trials or (len(search.rows) == self._trials and not jobs):
            self._say_over()
        settings = search.plan.settings
        self._sweep.jobs = self._possible - self._there + settings.confirm * MORE_SEEDS
        while True:
            if jobs:
                self._launch(jobs, search)
                self._say_progress()
                if self._is_cut_short():
                    return False
            if len(search.rows) >= self._trials:
                return True
            if search.is_exhausted:
                say(
                    f"the space has {len(search.rows)} configurations, and all of them are tried: "
                    f"fewer than search.trials={self._trials}"
                )
                return True
            jobs = search.ask()
            if not jobs:
                say(f"the sampler has nothing left to suggest after {len(search.rows)} trials")
                return True

    def _say_over(self) -> None:
        """Say that the trials are there already; ConfigError where there are more."""
        there = len(self._search.rows)
        more = there + max(there // 2, self._search.plan.batch)
        go_on = f"give search.trials={more} to go on"
        if there > self._trials:
            raise ConfigError(
                f"search.trials={self._trials} is less than the {there} trials that the search "
                f"has already: {go_on}"
            )
        say(f"the search has its {there} trials already: {go_on}")

    def _say_progress(self) -> None:
        """`trial 16 of 64: best val_loss 0.1234 (trial 11), 40 s left`."""
        search = self._search
        there = len(search.ended[0])
        line = f"trial {there} of {self._possible}: "
        if (best := search.best) is None:
            line += "no usable value so far"
        else:
            row, value = best
            line += f"best {search.metric(row)} {value:.4f} (trial {row.number})"
        seconds = (time.monotonic() - self._began) / max(there - self._there, 1)
        if there < self._possible:
            line += f", {seconds * (self._possible - there):.0f} s left"
        say(line)

    def _is_cut_short(self) -> bool:
        """Whether a limit of the sweep is reached, which is said."""
        limits, reached = self._limits, self._sweep.limits.reached
        failed = len(self._search.failed)
        if reached:
            say(f"{reached} is reached; the same command goes on")
        elif limits.max_failures is not None and failed >= limits.max_failures:
            say(f"{failed} trials failed, sweep.max_failures={limits.max_failures}: it ends here")
        else:
            return False
        return True


def _is_of_job(word: str) -> bool:
    """Whether an override is one that jobs have."""
    key = word.lstrip("+~").partition("=")[0]
    return key in OF_JOBS or key.partition(".")[0] not in OF_SEARCH


def _is_setting(override: Override) -> bool:
    return _key(override).partition(".")[0] in OF_SEARCH


def _key(override: Override) -> str:
    return str(override.key_or_group)

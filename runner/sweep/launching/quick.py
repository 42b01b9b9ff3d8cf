"""`hydra/sweeper=quick`: Hydra's basic sweeper without composing every job a second time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from runner.components.passwords import refuse_passwords
from runner.errors import PasswordError, RunnerError
from runner.sweep.launching.grid import Jobs, axes_of, number_of
from runner.sweep.launching.packed import PackedLauncher
from runner.sweep.limits import announce_jobs
from runner.sweep.pruning import pruner_named

LIMIT, PRUNER = "sweep.max_jobs", "search.pruner"


class QuickSweeper(BasicSweeper):
    """Every combination of the values given, as the basic sweeper has it, and zip and join."""

    def sweep(self, arguments: list[str]) -> Any:
        """Refuse what must not be kept, which the sweeper is about to write; then sweep."""
        try:
            refuse_passwords(OmegaConf.to_container(self.config, resolve=False), "")
        except PasswordError as error:
            raise HydraException(str(error)) from None
        return super().sweep(arguments)

    def split_arguments(  # type: ignore[override]
        self, overrides: list[Override], max_batch_size: int | None
    ) -> Sequence[Sequence[Sequence[str]]]:
        """The jobs in their batches; HydraException where there are none, or too many."""
        self._check_pruner(overrides)
        parse = OverridesParser.create(self._loader).parse_overrides
        number, limit = number_of(overrides, parse), self._limit(overrides)
        if number > limit:
            many = f"{number:,}" if number < 1e15 else f"{number:.3g}"
            jobs_in_words = "endlessly many jobs" if number == math.inf else f"{many} jobs"
            raise HydraException(
                f"the sweep has {jobs_in_words}, more than {LIMIT}={limit}: give fewer values, "
                f"or allow more with {LIMIT}=<number>"
            )
        jobs = Jobs(axes_of(overrides, parse))
        announce_jobs(len(jobs))
        size = max_batch_size or max(len(jobs), 1)
        return [jobs[first : first + size] for first in range(0, len(jobs), size)]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job before any is launched, unless the launcher does so itself."""
        if not isinstance(self.launcher, PackedLauncher):
            super().validate_batch_is_legal(batch)

    @property
    def _loader(self) -> ConfigLoader | None:
        return self.hydra_context.config_loader if self.hydra_context else None

    def _check_pruner(self, overrides: Sequence[Override]) -> None:
        """Refuse an unknown pruner once, rather than with each job; params are the jobs' own."""
        for override in overrides:
            named = override.value() if override.key_or_group == PRUNER else None
            if isinstance(named, str):
                try:
                    pruner_named(named)
                except RunnerError as error:
                    raise HydraException(str(error)) from None

    def _limit(self, overrides: Sequence[Override]) -> int:
        """The number of jobs there may be: as the command line says, else the config."""
        assert self.config is not None
        given = [one.value() for one in overrides if one.key_or_group == LIMIT]
        limit: Any = given[-1] if given else self.config.sweep.max_jobs
        if type(limit) is not int or limit < 1:
            raise HydraException(f"{LIMIT}={limit} is not valid: give a whole number from 1 on")
        return limit

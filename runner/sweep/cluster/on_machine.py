"""The runs of a sweep in processes of this machine, which stay for the later batches of a search.

With `device=gpus` a process for each device. Without GPUs, in a long search, a process for each
processor: to trace a program and to prove it is work of one thread, and each structure has one of
its own. This process then hands out packs, trains nothing itself and does not load TensorFlow.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from runner.backend.devices import AUTO, GPUS, may_have_gpus, usable_processors
from runner.config.settings import Settings
from runner.errors import ConfigError
from runner.sweep.batch import PruningOf, Terms, train_all
from runner.sweep.cluster.hand_out import Together
from runner.sweep.cluster.hands import Hand, begin, let_go
from runner.sweep.failures import OnResult, Results, RunResult
from runner.sweep.plan import Run

MOST = 8
"""Processes of a search, that auto means at most."""
BYTES_EACH = 2_000_000_000
"""Of free memory, that there must be for each of them."""
WORTH = 32
"""Trials of a search, from which on further processes pay, which take seconds to begin."""


class Machine:
    """What trains runs as `train_all` does, in this process or by others, which stay till `close`.

    processes: how many train packs side by side where there is no GPU; 1: this one alone; auto: as
        many as there are processors, in a search of many trials and several structures.
    """

    def __init__(self, processes: int | str = AUTO) -> None:
        self._processes = processes
        self.hands: list[Hand] = []
        self.taught: dict[Hashable, Hand] = {}
        """The process that has traced a structure last."""
        self.took: dict[Hashable, float] = {}
        """How many seconds the last pack of a structure took."""

    def train(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None,
        terms: Terms,
    ) -> dict[str, RunResult]:
        """Train the runs, some of them by other processes, the rest in this one."""
        results, limits = Results(on_result, terms.limits), terms.limits
        by_device = [run for run in runs if run.config.settings.device.lower() == GPUS]
        if self._is_side_by_side(runs, terms.pruning):
            spread, by_device = list(runs), []
        else:
            spread = by_device if len(by_device) > 1 else []
        if not spread:
            return train_all(runs, on_result, terms)
        # Those that may look at one results folder; there is one as a rule.
        for together in results.groups(spread, lambda run: run.results):
            try:
                Together(self, together, results, limits, bool(by_device), terms.more).train()
            except BaseException:
                self.close()
                raise
            if terms.more is None:
                self.close()
        others = results.missing(runs)  # none after the user's stop
        if others and not limits.reached:
            return results.by_id | train_all(others, on_result, terms)
        return results.by_id

    def expect(self, settings: Settings, trials: int, structures: int) -> None:
        """Have processes load TensorFlow while a search has its first batch planned, if it pays.

        settings: of its runs. structures: how many its space has.
        """
        packed = settings.engine in (AUTO, "packed")
        asked = self._processes != AUTO or (packed and trials >= WORTH and structures > 1)
        if asked and self._suits(settings):
            self.have(min(self.most, structures))

    def have(self, number: int) -> None:
        """Have at least so many processes."""
        while len(self.hands) < number:
            self.hands.append(begin())

    def _is_side_by_side(self, runs: Sequence[Run], pruning: PruningOf) -> bool:
        """Whether other processes train all of the runs, though they have no devices of their own.

        Not where they are compared while they train: a process sees its own alone.
        """
        if any(pruning(run) for run in runs) or not (self.hands or self._processes != AUTO):
            return False
        return all(self._suits(run.config.settings) for run in runs)

    def _suits(self, settings: Settings) -> bool:
        """Whether there may be several processes for a run of such settings."""
        device = settings.device.lower()
        on_processor = device == "cpu" or (device == AUTO and not may_have_gpus())
        return on_processor and self.most > 1

    @property
    def most(self) -> int:
        """How many processes there may be, where there is no GPU."""
        if isinstance(self._processes, int):
            return self._processes
        import psutil

        room = int(psutil.virtual_memory().available) // BYTES_EACH
        return max(1, min(usable_processors(), MOST, room))

    def dismiss(self, hand: Hand) -> None:
        """Do without a process that has died."""
        self.hands.remove(hand)
        self.taught = {key: one for key, one in self.taught.items() if one is not hand}

    def close(self) -> None:
        """Let all processes go."""
        let_go(self.hands)
        self.hands.clear()
        self.taught.clear()


def check_processes(processes: int | str) -> None:
    """Raise ConfigError where `launcher.processes` is neither auto nor a number of processes."""
    if processes != AUTO and (type(processes) is not int or processes < 1):
        raise ConfigError(
            f"hydra.launcher.processes={processes} is not valid: give auto, or how many processes "
            "of this machine train, from 1 on"
        )

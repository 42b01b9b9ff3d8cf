"""How far runs are, for whatever displays it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from runner.journal.records import EpochEnd, RunEnd, RunStart

MOVE_SECONDS = 0.1
"""How often a bar over many runs is drawn."""


def extent(start: RunStart) -> tuple[int, int]:
    """The number of epochs the run may have, and of rows that it trains on in each."""
    config, rows = start.config, int(start.data.get("train", 0))
    limit = config["limit_batches"]
    limited = rows if limit is None else min(rows, limit * config["batch_size"])
    return int(config["epochs"]), limited


def beginning(start: RunStart) -> str:
    """`run 0198... on cpu, engine keras (fast declines: the model runs eagerly)`."""
    reason = f" ({start.engine_reason})" if start.engine_reason else ""
    return f"run {start.run_id} on {start.device}, engine {start.engine}{reason}"


def losses_in_words(event: EpochEnd) -> list[str]:
    words = [f"loss {event.loss:.4f}"]
    return words if event.val_loss is None else [*words, f"val_loss {event.val_loss:.4f}"]


class Tally:
    """A count of how far the runs of a sweep are: those that have ended, and those in training."""

    def __init__(self, runs: int, by_node: bool = False) -> None:
        """by_node: also say how far each node is, by the hosts of the runs' starts."""
        self._runs, self._ended = runs, 0
        self._nodes: dict[str, Counter[str]] | None = {} if by_node else None
        self._hosts: dict[str, str] = {}
        self._began: float | None = None
        self._open: dict[str, tuple[int, EpochEnd | None]] = {}

    def start(self, start: RunStart) -> None:
        if self._began is None:
            self._began = time.monotonic()
        self._open[start.run_id] = extent(start)[0], None
        self._hosts[start.run_id] = start.host
        self._count(start.host, running=1)

    def epoch(self, event: EpochEnd) -> None:
        epochs, _ = self._open.get(event.run_id, (event.epoch, None))
        self._open[event.run_id] = epochs, event

    def end(self, end: RunEnd) -> None:
        host = self._hosts.pop(end.run_id, "")
        self._count(host, running=-1, done=1, failed=end.status in ("failed", "lost"))
        # A run whose worker was lost is tried again.
        self._ended += end.status != "lost"
        self._open.pop(end.run_id, None)

    def _count(self, host: str, **changes: int) -> None:
        if self._nodes is not None:
            self._nodes.setdefault(host, Counter()).update(changes)

    def nodes(self) -> str:
        """`blue: 4 in training, 9 done, 1 of them failed; red: ...`; empty where not asked for."""
        words = []
        for host, counts in sorted((self._nodes or {}).items()):
            failed = f", {counts['failed']} of them failed or lost" if counts["failed"] else ""
            words.append(f"{host}: {counts['running']} in training, {counts['done']} done{failed}")
        return "; ".join(words)

    @property
    def done(self) -> float:
        """The number of runs done, those in training by the share of their epochs."""
        shares = (event.epoch / epochs for epochs, event in self._open.values() if event)
        return min(self._ended + sum(shares), self._runs)

    def words(self) -> str:
        """`12/64 runs  16 in training: epochs 3 to 7 of 20, loss 0.1204 to 0.3127`."""
        words, nodes = f"{self._ended}/{self._runs} runs", self.nodes()
        return f"{words}{self._training()}" + (f"  [{nodes}]" if nodes else "")

    def _training(self) -> str:
        words = ""
        if not self._open:
            return words
        words += f"  {len(self._open)} in training"
        events = [event for _, event in self._open.values() if event is not None]
        if not events:
            return words
        epochs = _span([event.epoch for event in events], "d")
        most = max(epochs_ for epochs_, _ in self._open.values())
        word = "epochs" if " to " in epochs else "epoch"
        return f"{words}: {word} {epochs} of {most}, loss {_span([e.loss for e in events], '.4f')}"

    def left(self) -> float | None:
        """The seconds that the rest will take if it goes on like this."""
        if self._began is None or not self.done:
            return None
        return (time.monotonic() - self._began) / self.done * (self._runs - self.done)


def _span(values: Sequence[float], form: str) -> str:
    """The least and the greatest, or the one that all are."""
    least, greatest = format(min(values), form), format(max(values), form)
    return least if least == greatest else f"{least} to {greatest}"

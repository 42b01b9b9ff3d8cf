"""`hydra/launcher=ray`: the packs of a sweep on the nodes of a Ray cluster, or of this machine.

Ray is imported when it is used: the extra `ray` brings it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import signal
import socket
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import HydraException

from runner.backend.ray_private import silence_notices
from runner.config.settings import Settings
from runner.errors import ConfigError
from runner.sweep.batch import Terms
from runner.sweep.cluster.cut import AUTO, check_pack
from runner.sweep.cluster.on_ray import Crew, Share
from runner.sweep.failures import OnResult, RunResult
from runner.sweep.launching.packed import PackedLauncher
from runner.sweep.plan import Run

EXTRA = 'pip install "sweephouse[ray]"'
KEY = "hydra.launcher"
REACHED_SECONDS = 10.0
STORE_BYTES = 200_000_000
"""Of a cluster that is started here: nothing large lies in its object store."""


class RayLauncher(PackedLauncher):
    """The launcher: as `packed`, but that workers on a cluster's nodes train the packs."""

    def __init__(
        self,
        address: str | None = None,
        cpus: float | None = None,
        gpus: float | None = None,
        pack: int | str = AUTO,
    ) -> None:
        """address: auto, ray://host:port or host:port; without one a cluster is started here.

        cpus, gpus: of a worker, fractions too; by default a worker a GPU, or one a node without.
        pack: how many runs a worker is given at once, at most.
        """
        self._address, self._pack = address, pack
        self._asked = {"cpus": cpus, "gpus": gpus}
        self._crew: Crew | None = None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train a batch of jobs as `packed` does; an address that leads nowhere is told first."""
        try:
            if self._address is not None:
                connect(self._address)
            return super().launch(job_overrides, initial_job_idx)
        except ConfigError as error:
            raise HydraException(str(error)) from None

    def expect(self, settings: Settings, trials: int, structures: int) -> None:
        """Do nothing: processes begin where there is work for them."""

    def _together(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None,
        terms: Terms,
    ) -> dict[str, RunResult]:
        connect(self._address)
        if self._crew is None:
            self._crew = Crew(Share(**self._asked), self._pack)
            atexit.register(self._crew.close)
        return self._crew.train(runs, on_result, terms)

    def check(self) -> None:
        """Raise ConfigError for params that mean nothing, and where Ray is not installed."""
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(f"hydra/launcher=ray needs Ray, which is not installed: {EXTRA}")
        check_pack(self._pack)
        if self._address is not None and not isinstance(self._address, str):
            raise ConfigError(
                f"{KEY}.address={self._address} is not valid: give auto or ray://host:port"
            )
        for name, value in self._asked.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and (not number or not value >= 0):
                raise ConfigError(
                    f"{KEY}.{name}={value} is not valid: give a number from 0 on, such as 2 or 0.5"
                )
        if self._asked["cpus"] == 0 and not self._asked["gpus"]:
            raise ConfigError(f"{KEY}.cpus=0 is not valid without {KEY}.gpus=<number>")


def connect(address: str | None) -> None:
    """Join the cluster of an address, or start one here; ConfigError where there is none."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return
    if address is not None and address != "auto":
        _reach(address)
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    silence_notices()
    # Ray takes SIGTERM for itself.
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        said = str(error).partition("\n")[0]
        raise ConfigError(
            f"{KEY}.address={address} leads to no Ray cluster ({said}): start one with "
            f"`ray start --head`, or leave {KEY}.address out to have one started here"
        ) from None
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, before)


def _reach(address: str) -> None:
    """Raise ConfigError where nobody listens: Ray itself would try for a long time."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if not host or not port.isdigit():
            raise OSError(22, "it is no host:port")
        with socket.create_connection((host.strip("[]"), int(port)), REACHED_SECONDS):
            return
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"{KEY}.address={address} leads to no Ray cluster ({said}): give auto, or "
            f"ray://host:10001 of one that runs, or leave it out to have one started here"
        ) from None

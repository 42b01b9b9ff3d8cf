"""`hydra/sweeper=quick`: Hydra's basic sweeper without composing every job a second time."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from runner.launchers.packed import PackedLauncher


class QuickSweeper(BasicSweeper):
    """Every combination of the values given, as the basic sweeper has it."""

    @staticmethod
    def split_arguments(
        overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """The jobs in their batches; HydraException where a glob or a range gives none."""
        batches = BasicSweeper.split_arguments(overrides, max_batch_size)
        if not any(batches):
            for override in overrides:
                if override.is_sweep_override() and not [*override.sweep_string_iterator()]:
                    raise HydraException(f"{override.input_line} gives no value to sweep over")
        return batches

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job before any is launched, unless the launcher does so itself."""
        if not isinstance(self.launcher, PackedLauncher):
            super().validate_batch_is_legal(batch)

"""`hydra/sweeper=quick`: Hydra's basic sweeper without composing every job a second time."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

from runner.launchers.packed import PackedLauncher


class QuickSweeper(BasicSweeper):
    """Every combination of the values given, as the basic sweeper has it."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job before any is launched, unless the launcher does so itself."""
        if not isinstance(self.launcher, PackedLauncher):
            super().validate_batch_is_legal(batch)

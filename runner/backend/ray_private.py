"""A name of Ray that Ray does not promise; seen in 2.60."""

from __future__ import annotations

import importlib
from typing import Any


def silence_notices() -> None:
    """Have the head not print what raylets write when one of their workers or nodes is gone.

    It is some hundred lines of their state; that a worker is gone is raised as an error besides.
    """
    worker: Any = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None

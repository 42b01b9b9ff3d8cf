"""The stores that the trackers themselves wrote, unpacked."""

from __future__ import annotations

import contextlib
import sqlite3
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def unpack(folder: Path) -> Path:
    """All of them into a folder: mlflow.db, mlruns, wandb and tb."""
    with tarfile.open(HERE / "stores.tar.gz") as packed:
        # Pythons before 3.11.4 have no filters.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        packed.extractall(folder)
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as con:
        con.executescript((HERE / "mlflow.sql").read_text("utf-8"))
    return folder


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """Stores of one's own, to be changed."""
    return unpack(tmp_path / "stores")

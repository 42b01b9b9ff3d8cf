"""What the code of a run was, as it is kept: uncommitted changes and installed packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.journal import weights
from warehouse.lookup import fetch
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def code_of(
    con: DuckDBPyConnection, run_id: str, kind: str, results: str | os.PathLike[str] | None
) -> bytes | None:
    """The content of an artifact, of kind diff or packages; None where the run has none.

    Raises WarehouseError where its file is gone or altered.
    """
    row = con.execute(
        "SELECT uri, sha256 FROM artifacts WHERE run_id = $1 AND kind = $2 LIMIT 1",
        [run_id, kind],
    ).fetchone()
    if row is None:
        return None
    uri, sha256 = row
    fetch(uri, sha256, results)
    return weights.read(Place.of(results).folder, uri, sha256)


def packages_between(
    con: DuckDBPyConnection, a: str, b: str, results: str | os.PathLike[str] | None
) -> Iterator[tuple[str, str | None, str | None]]:
    """The packages in which two runs differ: name, and the version of each, or None.

    Nothing where it is not known of both what was installed.
    """
    try:
        kept = [code_of(con, run_id, "packages", results) for run_id in (a, b)]
    except WarehouseError:  # `verify` names what is missing
        return
    if None in kept or kept[0] == kept[1]:
        return
    one, other = (
        dict(map(_named, (content or b"").decode("utf-8", "replace").splitlines()))
        for content in kept
    )
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def _named(line: str) -> tuple[str, str]:
    """The name of a package, and which one it is."""
    name, _, version = line.partition(" @ " if " @ " in line else "==")
    return name, version

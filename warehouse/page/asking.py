"""A query of the user's, asked in a process of its own: whatever it takes, it can be ended.

DuckDB can be interrupted between two steps of a plan, and not inside of one: a constant that is
worked out while the query is planned takes minutes and all the memory there is.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.system.databases import refuse_effects_in
from warehouse.snapshot import connect, in_brief

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = 4_000_000_000
"""Bytes of address space beyond which a query is out of memory."""
AT_ONCE = threading.BoundedSemaphore(4)
"""Queries that are being asked at one time; others wait."""


class StoppedError(WarehouseError):
    """A query took longer than it may."""


def ask(folder: Path, text: str, limit: int, seconds: float, *, parquet: bool = False) -> Any:
    """Columns, types and rows, at most so many; as Parquet, the bytes of a file.

    Raises WarehouseError, in DuckDB's words, where the query does not work or would do more than
    read; StoppedError where it takes too long.
    """
    if not text.strip():
        raise WarehouseError("the query is empty")
    wish = {"folder": str(folder), "text": text, "limit": limit, "parquet": parquet}
    with AT_ONCE, _child() as child:
        try:
            reply, _ = child.communicate(json.dumps(wish).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise StoppedError(f"the query was stopped after {seconds:g} seconds") from None
        finally:
            child.kill()
    if not reply:
        raise WarehouseError("the query took more memory than it may, and was ended")
    problem, answer = pickle.loads(reply)  # from our own child
    if problem is not None:
        raise WarehouseError(problem)
    return answer


def _child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "warehouse.page.asking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _main() -> None:
    """Read a wish from standard input, and write the answer to standard output."""
    wish = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reply: tuple[str | None, Any]
    try:
        reply = (None, _answer(**wish))
    except WarehouseError as error:
        reply = (str(error), None)
    except MemoryError:
        reply = ("the query took more memory than it may", None)
    sys.stdout.buffer.write(pickle.dumps(reply))


def _answer(folder: str, text: str, limit: int, parquet: bool) -> Any:
    import duckdb

    with connect(folder) as con:
        try:
            refuse_effects_in(con, text)
            con.execute(text)
            described = con.description or []
            if parquet:
                return _as_parquet(con, limit)
            rows = con.fetchmany(limit) if described else []
        except duckdb.Error as error:
            raise WarehouseError(in_brief(error, "this page")) from error
        except (OverflowError, ValueError) as error:
            raise WarehouseError(
                f"the result cannot be shown ({error}); cast it to VARCHAR"
            ) from error
    return [column[0] for column in described], [str(column[1]) for column in described], rows


def _as_parquet(con: DuckDBPyConnection, limit: int) -> bytes:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise WarehouseError("Parquet needs pyarrow: pip install pyarrow") from error
    if not con.description:
        raise WarehouseError("the query gives no rows")
    out = io.BytesIO()
    parquet.write_table(con.to_arrow_table().slice(0, limit), out)
    return out.getvalue()


if __name__ == "__main__":
    _main()

"""A lake opened in a DuckDB connection, and what goes wrong with that in words for the user."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import WarehouseError
from runner.system.databases import identifier, literal
from runner.system.duckdb_extensions import load_packaged
from warehouse.lake.address import Lake

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAME = "lake"
"""What the lake is called in a connection."""
CATALOG = f"__ducklake_metadata_{NAME}"
"""What DuckLake calls its catalog there."""
EXTRA = "pip install 'sweephouse[lake]'"
GONE = "cannot be reached: its server does not answer, or has gone away"


class LakeError(WarehouseError):
    """The lake cannot be used as it is; nothing of ours is lost."""


class NotThereError(LakeError):
    """Nobody has made the lake yet."""


class PassingError(LakeError):
    """Its server, or the way there, is gone right now, or others were quicker: try again."""


def load_extensions(con: DuckDBPyConnection) -> None:
    """Load what a lake needs; LakeError where it is not installed."""
    for kind in ("ducklake", "postgres"):
        if not load_packaged(con, kind):
            raise LakeError(
                f"a lake needs the package duckdb-extension-{kind} for this version of "
                f"DuckDB, which is missing: {EXTRA}"
            )


def attach(con: DuckDBPyConnection, lake: Lake, *, write: bool = False) -> str:
    """Attach the lake as NAME, and give its data path; the extensions are loaded.

    write: for writing; the lake is made where there is none.
    """
    import duckdb

    with in_words(lake):
        if _is_bucket(lake.data):
            _sign_in(con)
        options = [f"METADATA_SCHEMA {literal(lake.schema)}"]
        options += [f"DATA_PATH {literal(lake.data)}"] if lake.data else []
        # Without a data path, a lake that is to be made would have to guess one.
        is_made = write and lake.data is not None
        options += [] if write else ["READ_ONLY"]
        options += [] if is_made else ["CREATE_IF_NOT_EXISTS false"]
        if lake.at is not None:
            if write:
                raise LakeError(
                    f"the lake {lake.shown} is meant as of {lake.at}, which can only be read"
                )
            unit = "VERSION" if lake.at.isdecimal() else "TIME"
            options.append(f"SNAPSHOT_{unit} {literal(lake.at)}")
        if is_made and not _is_bucket(lake.data):
            Path(str(lake.data)).mkdir(parents=True, exist_ok=True)
        attaching = (
            f"ATTACH {literal('ducklake:postgres:' + lake.uri)} AS {NAME} ({', '.join(options)})"
        )
        try:
            con.execute(attaching)
        except duckdb.Error as error:
            # Only the catalog knew where its files are.
            if "extension httpfs" not in str(error):
                raise
            _sign_in(con)
            con.execute(attaching)
        return data_path(con, lake)


def data_path(con: DuckDBPyConnection, lake: Lake) -> str:
    """Where the files of an attached lake are."""
    table = f"{CATALOG}.{identifier(lake.schema)}.ducklake_metadata"
    rows = con.execute(f"SELECT value FROM {table} WHERE key = 'data_path'").fetchall()
    return str(rows[0][0]) if rows else ""


def state_of(con: DuckDBPyConnection, lake: Lake) -> int:
    """The number of the lake's newest snapshot."""
    table = f"{CATALOG}.{identifier(lake.schema)}.ducklake_snapshot"
    ((number,),) = con.execute(f"SELECT max(snapshot_id) FROM {table}").fetchall()
    return int(number)


def _is_bucket(path: str | None) -> bool:
    return path is not None and path.startswith("s3://")


def _sign_in(con: DuckDBPyConnection) -> None:
    """Give DuckDB what the environment says of S3, as boto3 reads it; nobody can read it back."""
    if not load_packaged(con, "httpfs"):
        raise LakeError(
            "a lake in S3 needs the package duckdb-extension-httpfs for this version of DuckDB, "
            f"which is missing: {EXTRA}"
        )
    given = os.environ.get
    said = {
        "KEY_ID": given("AWS_ACCESS_KEY_ID"),
        "SECRET": given("AWS_SECRET_ACCESS_KEY"),
        "SESSION_TOKEN": given("AWS_SESSION_TOKEN"),
        "REGION": given("AWS_REGION") or given("AWS_DEFAULT_REGION"),
    }
    if not said["KEY_ID"]:
        said |= _from_files()
    if endpoint := given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL"):
        parts = urlsplit(endpoint)
        said |= {"ENDPOINT": parts.netloc, "URL_STYLE": "path"}
        if parts.scheme == "http":
            said["USE_SSL"] = "false"
    options = "".join(f", {name} {literal(value)}" for name, value in said.items() if value)
    con.execute(f"CREATE OR REPLACE SECRET of_the_lake (TYPE s3{options})")


def _from_files() -> dict[str, str | None]:
    """What boto3 finds: a profile, a role of the machine; nothing where there is none."""
    try:
        import boto3
    except ImportError:
        return {}
    session = boto3.Session()
    found = session.get_credentials()
    if found is None:
        return {}
    frozen = found.get_frozen_credentials()
    return {
        "KEY_ID": frozen.access_key,
        "SECRET": frozen.secret_key,
        "SESSION_TOKEN": frozen.token,
        "REGION": session.region_name,
    }


@contextmanager
def in_words(lake: Lake) -> Iterator[None]:
    """Turn what DuckDB says of the lake, its server and its files into sentences."""
    try:
        yield
    except OSError as error:
        raise LakeError(
            f"the lake {lake.shown} has a data folder that cannot be made: "
            f"{error.filename or lake.data}: {error.strerror}"
        ) from error
    except Exception as error:
        duckdb = sys.modules.get("duckdb")
        if duckdb is None or not isinstance(error, duckdb.Error):
            raise
        if (explained := _explained(str(error), lake)) is None:
            raise
        raise explained from error


def _explained(message: str, lake: Lake) -> LakeError | None:
    """The sentence for an error of DuckDB's; None where it is not about the lake."""
    where = f"the lake {lake.shown}"
    for words, kind, sentence in _SENTENCES:
        if found := re.search(words, message):
            said = sentence.format(
                *found.groups(), user=lake.user or "the role", schema=lake.schema, data=lake.data
            )
            return kind(f"{where} {said}")
    return None


_LOST = (
    r"[Cc]onnection refused|could not translate host name|timeout expired|could not connect to "
    r"server|[Nn]o route to host|Network is unreachable|server closed the connection"
    r"|terminating connection|the database system is|SSL connection has been closed"
    r"|could not receive data from server|could not send data to server|connection to server"
    r"|Unable to connect to Postgres|no connection to the server|Connection reset|Broken pipe"
    r"|connection is closed|Failed to execute query \"ROLLBACK\""
)
_SENTENCES: tuple[tuple[str, type[LakeError], str], ...] = (
    (
        r"password authentication failed|no password supplied|Peer authentication failed"
        r"|authentication failed|pg_hba.conf",
        LakeError,
        "does not let {user} in: the password, which PGPASSWORD or ~/.pgpass holds, is wrong or "
        "missing, or the server expects this machine not",
    ),
    (r'database "([^"]*)" does not exist', LakeError, "has no database {0}: createdb makes it"),
    (r'role "([^"]*)" (?:does not exist|is not permitted)', LakeError, "knows no role {0}"),
    (
        r"permission denied for (\w+ \S+)|must be owner of (\w+ \S+)",
        LakeError,
        "does not let {user} do that (permission denied for {0}): docs/growing.md has the grants",
    ),
    (
        r"catalog version is ([\d.]+\d)",
        LakeError,
        "has a catalog of another version of DuckLake ({0}): use the version of "
        "duckdb-extension-ducklake that the team uses",
    ),
    (
        r"No snapshot found at (?:version|timestamp) ([^\n]*)",
        LakeError,
        "has no state as of {0}: it is younger, or `tidy` has dropped it",
    ),
    (
        r"creating a new DuckLake is explicitly disabled|does not exist - and creating",
        NotThereError,
        "is not there yet: the first `python -m warehouse sync` with data=... in its address "
        "makes it",
    ),
    (
        r"DATA_PATH parameter \"?([^\"]*)\"? does not match existing data path .*?\"([^\"]*)\"",
        LakeError,
        "has its data in {1}, not in {0}: leave data= out of the address",
    ),
    (
        r"HTTP (?:Error|GET|PUT|HEAD)[^\n]*40[13]|\bForbidden\b|AccessDenied|InvalidAccessKeyId",
        LakeError,
        "keeps its data in a bucket that does not let us in: AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or a profile, need rights to read and, to take runs in, to write",
    ),
    (
        r"NoSuchBucket|HTTP[^\n]*404",
        LakeError,
        "keeps its data in a bucket in which they are not found",
    ),
    (
        r"Could not (?:establish|resolve|connect)[^\n]*HTTP"
        r"|HTTP[^\n]*[Cc]ould not (?:establish|connect)",
        PassingError,
        "keeps its data in S3, which does not answer",
    ),
    (
        r"Cannot (?:create|open) (?:directory|file) \"([^\"]*)\": (\w[^\n\"]*)",
        LakeError,
        "has a data folder that cannot be used: {0}: {1}",
    ),
    (
        r"[Tt]ransaction conflict|could not serialize|deadlock detected|lock timeout",
        PassingError,
        "was changed by others at the same moment",
    ),
    (_LOST, PassingError, GONE),
)

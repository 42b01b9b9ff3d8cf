"""The address of a lake: `postgres://user@host:port/database?data=/srv/lake`, or data=s3://...

A password is in no address: PostgreSQL's own library takes it from PGPASSWORD or ~/.pgpass.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from runner.errors import WarehouseError

ENVIRONMENT = "SWEEPHOUSE_LAKE"
NONE = "none"
"""In the place of an address: no lake, whatever the environment says."""
FORM = "postgres://USER@HOST:PORT/DATABASE?data=/a/folder, or data=s3://bucket/folder"
SCHEMA = "public"
"""The schema of the catalog's tables, as DuckLake itself chooses it."""
PATIENCE = 5
"""Seconds that a server may take to answer."""
_OURS = ("data", "schema", "as_of")
_PASSED_ON = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "service", "gssencmode"),
    *("application_name", "connect_timeout", "target_session_attrs", "channel_binding"),
)
"""The parameters of PostgreSQL's that may stand behind the question mark."""
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Lake:
    """Where a lake is; that it is there has not been asked yet."""

    uri: str
    """The catalog, as PostgreSQL's library takes it."""
    schema: str
    """The schema of the catalog's tables."""
    data: str | None
    """The folder or bucket of its files; None: the one that the catalog names."""
    at: str | None = None
    """The state of before that is meant, a snapshot's number or a moment; None: today's."""

    @property
    def shown(self) -> str:
        """The catalog, as sentences name it."""
        return self.uri.partition("?")[0]

    @property
    def user(self) -> str | None:
        """The role that logs in, where the address says."""
        name = urlsplit(self.uri).username
        return None if name is None else unquote(name)


def lake_of(text: str | None = None) -> Lake | None:
    """The lake of an address, else the environment's; None where neither names one.

    Raises WarehouseError where it can be no address of a lake.
    """
    text = (text or os.environ.get(ENVIRONMENT) or "").strip()
    if not text or text.lower() == NONE:
        return None
    shown = re.sub(r"(//[^/@:]*):[^@/]*@", r"\1:...@", text)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise WarehouseError(f"the lake {shown} is not valid: give {FORM}") from None
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in ("postgres", "postgresql"):
        raise WarehouseError(f"the lake {shown:.200} is not valid: give {FORM}")
    if parts.password is not None or "password" in given:
        raise WarehouseError(
            f"the lake {shown.partition('?')[0]} has a password in its address, which is not read "
            "there: put it into PGPASSWORD or ~/.pgpass"
        )
    if not parts.path.strip("/") and "service" not in given:
        raise WarehouseError(f"the lake {shown} names no database: give {FORM}")
    if odd := sorted(given.keys() - {*_OURS, *_PASSED_ON}):
        raise WarehouseError(
            f"the lake {shown} has the parameter {odd[0]}, which is none: there are "
            f"{', '.join((*_OURS, *_PASSED_ON))}"
        )
    schema = given.get("schema", SCHEMA)
    if not _SCHEMA.fullmatch(schema):
        raise WarehouseError(
            f"the lake {shown} has schema={schema}, which is not valid: give lower-case letters, "
            "digits and _"
        )
    passed = {"connect_timeout": str(PATIENCE)}
    passed |= {name: value for name, value in given.items() if name in _PASSED_ON}
    options = "&".join(f"{name}={quote(value, safe='/')}" for name, value in passed.items())
    return Lake(
        f"postgres://{parts.netloc}/{parts.path.lstrip('/')}?{options}",
        schema,
        _data(given["data"], shown) if "data" in given else None,
        moment(given["as_of"]) if "as_of" in given else None,
    )


@contextmanager
def in_environment(lake: str | None, as_of: str | None) -> Iterator[None]:
    """Have the environment name a lake, and a state of it, for a while; None: what it names.

    Raises WarehouseError where there is no lake that could be read as of then.
    """
    before = os.environ.get(ENVIRONMENT)
    named = before if lake is None else lake
    if as_of is not None:
        if lake_of(named) is None:
            raise WarehouseError(
                f"--as-of {as_of:.80} needs a lake, which keeps what was: --lake or {ENVIRONMENT}"
            )
        named = f"{named}{'&' if '?' in str(named) else '?'}as_of={quote(moment(as_of))}"
    try:
        if named is not None:
            os.environ[ENVIRONMENT] = named
        yield
    finally:
        os.environ.pop(ENVIRONMENT, None)
        if before is not None:
            os.environ[ENVIRONMENT] = before


def moment(text: str) -> str:
    """A snapshot's number, or a moment in UTC; WarehouseError where it is neither."""
    if re.fullmatch(r"\d{1,18}", text):
        return text
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise WarehouseError(
            f"as of {text:.80} is not valid: give the number of a snapshot, or a moment such as "
            "2026-11-29T12:00Z (without a zone, of this machine's)"
        ) from None
    return when.astimezone(UTC).isoformat(sep=" ")


def _data(data: str, shown: str) -> str:
    """The data path, with a / at its end, as DuckLake keeps it."""
    is_bucket = re.fullmatch(r"s3://[A-Za-z0-9.-]+(/.*)?", data) is not None
    if not is_bucket and not Path(data).is_absolute():
        raise WarehouseError(
            f"the lake {shown} has data={data}, which is not valid: give a whole path, which "
            "is the same on all machines, or s3://bucket/folder"
        )
    return data.rstrip("/") + "/"

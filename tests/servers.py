"""PostgreSQL and MariaDB for tests: real servers on loopback, in a folder of their own.

A server that the environment names is used; else one is started from Debian's binaries; else the
tests that need it are skipped, saying so.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner import load_extension

USER, PASSWORD = "reader", "a-secret-of-the-tests"
PATIENCE = 60.0


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server's URI without the password, which is in PGPASSWORD meanwhile."""
    if (given := os.environ.get("SWEEPHOUSE_TEST_POSTGRES")) is not None:
        yield given
        return
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not tools:
        pytest.skip("no PostgreSQL here: apt-get install postgresql, or SWEEPHOUSE_TEST_POSTGRES")
    with _postgres(tools[-1]) as (uri, _, _):
        yield uri


@contextmanager
def restartable_postgres() -> Iterator[tuple[str, Callable[[], None]]]:
    """One of the test's own: its URI, and what ends it by kill -9 and starts it again."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not tools:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    with _postgres(tools[-1]) as (uri, server, start), ExitStack() as later:
        processes = [server]

        def restart() -> None:
            processes[-1].kill()
            processes[-1].wait(PATIENCE)
            end = time.monotonic() + PATIENCE
            while True:  # until the old one's children are gone
                try:
                    processes.append(later.enter_context(start()))
                    return
                except AssertionError:
                    assert time.monotonic() < end
                    time.sleep(0.5)

        yield uri, restart


@contextmanager
def _postgres(tools: Path) -> Iterator[tuple[str, Any, Callable[[], Any]]]:
    """A server of ours: its URI, its process, and what starts it again."""
    with _folder("postgres") as (folder, owner):
        data, port = folder / "data", _free_port()
        word = _file(folder / "word", PASSWORD)
        _done(
            f"{tools}/initdb -D {data} -U {USER} -A scram-sha-256 --pwfile={word} -E UTF8 "
            "--no-sync",
            owner,
        )
        words = (
            f"{tools}/postgres -D {data} -p {port} -k {folder} -c listen_addresses=127.0.0.1 "
            "-c fsync=off"
        )

        def start() -> Any:
            return _running(words, owner, port, signal.SIGINT)

        with start() as server, _password("PGPASSWORD"):
            yield f"postgres://{USER}@127.0.0.1:{port}/postgres", server, start


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server's URI without the password, which is in MYSQL_PWD meanwhile."""
    if (given := os.environ.get("SWEEPHOUSE_TEST_MARIADB")) is not None:
        yield given
        return
    server = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if server is None or install is None:
        pytest.skip("no MariaDB here: apt-get install mariadb-server, or SWEEPHOUSE_TEST_MARIADB")
    with _folder("mysql") as (folder, owner):
        data, port = folder / "data", _free_port()
        _done(
            f"{install} --no-defaults --datadir={data} --skip-test-db "
            "--auth-root-authentication-method=normal",
            owner,
        )
        begin = _file(
            folder / "begin.sql",
            f"CREATE DATABASE shop;\nCREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON shop.* TO {USER}@'127.0.0.1';\n",
        )
        words = (
            f"{server} --no-defaults --datadir={data} --port={port} --init-file={begin} "
            f"--bind-address=127.0.0.1 --socket={folder}/socket --pid-file={folder}/pid "
            "--innodb-flush-log-at-trx-commit=0 --skip-name-resolve"
        )
        with _running(words, owner, port, signal.SIGTERM), _password("MYSQL_PWD"):
            yield f"mysql://{USER}@127.0.0.1:{port}/shop"


@contextmanager
def _folder(user: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A short-lived folder, and whom to run as: neither server runs as root."""
    folder = Path(tempfile.mkdtemp(prefix="sweephouse-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
            yield folder, {"user": user, "group": folder.stat().st_gid, "extra_groups": []}
        else:
            yield folder, {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _file(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o644)
    return path


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _done(words: str, owner: dict[str, Any]) -> None:
    done = subprocess.run(
        words.split(), cwd="/", capture_output=True, text=True, timeout=PATIENCE, **owner
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _running(
    words: str, owner: dict[str, Any], port: int, stop: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A server from when it takes connections to its end."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(words.split(), cwd="/", stdout=log, stderr=log, **owner)
        try:
            end = time.monotonic() + PATIENCE
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise AssertionError(log.read().decode()[-2000:])
                time.sleep(0.1)
            yield server
        finally:
            server.send_signal(stop)
            server.wait(PATIENCE)


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _password(variable: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, PASSWORD)
        yield


@contextmanager
def writing(uri: str) -> Iterator[Any]:
    """A DuckDB connection in which the server is the database `server`, to be written to."""
    import duckdb

    kind = uri.partition(":")[0]
    with duckdb.connect() as con:
        load_extension(con, kind)
        con.execute(f"ATTACH '{uri}' AS server (TYPE {kind})")
        yield con


@contextmanager
def writing_sqlite(file: Path) -> Iterator[Any]:
    """A DuckDB connection in which a SQLite file is the database `made`."""
    import duckdb

    with duckdb.connect() as con:
        load_extension(con, "sqlite")
        con.execute(f"ATTACH '{file}' AS made (TYPE sqlite)")
        yield con

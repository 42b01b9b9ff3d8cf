"""PostgreSQL, MariaDB and SLURM for tests: real servers on loopback, in a folder of their own.

A server that the environment names is used; else one is started from Debian's binaries; else the
tests that need it are skipped, saying so.
"""

from __future__ import annotations

import functools
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
def restartable_postgres() -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """One of the test's own: its URI, what ends it by kill -9, and what starts it again."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not tools:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    with _postgres(tools[-1]) as (uri, server, start), ExitStack() as later:
        processes = [server]

        def kill() -> None:
            processes[-1].kill()
            processes[-1].wait(PATIENCE)

        def begin() -> None:
            end = time.monotonic() + PATIENCE
            while True:  # until the old one's children are gone
                try:
                    processes.append(later.enter_context(start()))
                    return
                except AssertionError:
                    assert time.monotonic() < end
                    time.sleep(0.5)

        yield uri, kill, begin


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
        there = functools.partial(_answers, port)

        def start() -> Any:
            return _running(words, owner, there, signal.SIGINT)

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
        there = functools.partial(_answers, port)
        with _running(words, owner, there), _password("MYSQL_PWD"):
            yield f"mysql://{USER}@127.0.0.1:{port}/shop"


@contextmanager
def slurm(cpus: int = 2) -> Iterator[Path]:
    """A SLURM of one node with this many processors; commands find it by SLURM_CONF meanwhile.

    Its folder, which holds the log of each daemon. What is requeued begins again after seconds.
    """
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    munged, controller, node = (
        shutil.which(name, path=path) for name in ("munged", "slurmctld", "slurmd")
    )
    if munged is None or controller is None or node is None or shutil.which("sbatch") is None:
        pytest.skip("no SLURM here: apt-get install slurmctld slurmd munge")
    folder = Path(tempfile.mkdtemp(prefix="sweephouse-"))
    try:
        folder.chmod(0o755)
        (folder / "key").write_bytes(os.urandom(1024))
        (folder / "key").chmod(0o600)
        config = _file(folder / "slurm.conf", _slurm_config(folder, cpus))
        files = {"key-file": "key", "socket": "munge", "pid-file": "munge.pid"}
        files |= {"log-file": "munge.log", "seed-file": "seed"}
        options = " ".join(f"--{name}={folder / file}" for name, file in files.items())
        munge = f"{munged} --foreground --force {options}"
        with ExitStack() as running:
            try:
                running.enter_context(_running(munge, {}, (folder / "munge").exists))
                for words, port in ((controller, "SlurmctldPort"), (node, "SlurmdPort")):
                    there = functools.partial(_answers, _port_of(config, port))
                    running.enter_context(_running(f"{words} -D -f {config}", {}, there))
                running.enter_context(_set("SLURM_CONF", str(config)))
                _until(lambda: "idle" in _said("sinfo -h -o %t"))
            except AssertionError as error:
                pytest.skip(f"SLURM does not start here: {str(error).strip()[-200:]}")
            yield folder
            _said("scancel --signal=KILL --full --partition=tests")
            _said("scancel --partition=tests")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _slurm_config(folder: Path, cpus: int) -> str:
    """The configuration of one machine, without cgroups, accounting or anything of the system's.

    The 120 seconds for which a credential is good are those that a requeued job waits, too.
    """
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    return f"""\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={_free_port()}
SlurmdPort={_free_port()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
PlugStackConfig={folder}/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=tests Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _port_of(config: Path, name: str) -> int:
    lines = dict(line.partition("=")[::2] for line in config.read_text().splitlines())
    return int(lines[name])


def _said(words: str) -> str:
    done = subprocess.run(words.split(), capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout


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
    words: str, owner: dict[str, Any], there: Callable[[], bool], stop: int = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A server from when it is there to its end."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(words.split(), cwd="/", stdout=log, stderr=log, **owner)
        try:
            _until(lambda: server.poll() is not None or there())
            if server.poll() is not None:
                log.seek(0)
                raise AssertionError(log.read().decode()[-2000:])
            yield server
        finally:
            server.send_signal(stop)
            server.wait(PATIENCE)


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"waited {PATIENCE:g} s for it"
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _password(variable: str) -> AbstractContextManager[None]:
    return _set(variable, PASSWORD)


@contextmanager
def _set(variable: str, value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, value)
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

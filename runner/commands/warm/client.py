"""A process that has TensorFlow imported already takes a command over: seconds less a command.

`python -m runner warm` starts the worker (`server.py`). From then on `python -m runner` and
`runner` hand it their words, environment, folder, standard streams and signals, and end as
the process that it forks for them ends. Where there is no worker, or none that was started alike,
the command runs where it is. The worker has imported nothing of ours or of plugins: every command
runs the code as it is then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from runner.errors import ConfigError
from runner.system.signals import SIGNALS
from runner.system.stops import INTERRUPTED
from runner.system.temporary import is_private, umask
from runner.system.terminal import complain

WARM = "SWEEPHOUSE_WARM"
"""Set to "off", a command runs where it is, whether there is a worker or not."""
ALIKE = (
    *("TF_", "TF2_", "KERAS_", "XLA_", "CUDA_", "NVIDIA_", "ONEDNN_", "DNNL_", "ABSL_"),
    *(
        "OMP_",
        "GOMP_",
        "KMP_",
        "OPENBLAS_",
        "MKL_",
        "BLIS_",
        "NPY_",
        "NUMPY_",
        "SCIPY_",
        "SKLEARN_",
    ),
    *("JOBLIB_", "LOKY_", "PYDANTIC_", "MPL", "PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG"),
    *("HOME", "SLURM_JOB"),
)
"""Beginnings of the names of environment variables that an import may have read."""
PASSED_ON = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)
PATIENCE = 120.0
"""Seconds that a worker may take until it is ready."""

# --- Where a worker is found ---------------------------------------------------------------------


def folder() -> Path:
    """Where workers of this user have their sockets; it need not exist."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or tempfile.gettempdir()) / f"sweephouse-warm-{os.getuid()}"


def socket_path() -> Path:
    """The socket of a worker that was started as this process was.

    Alike are the interpreter, the packages installed, the environment variables that matter to
    an import, and what a process has from its parent: groups, namespaces (containers), limits,
    processors, priority, umask. Cgroups are not looked at, or every terminal had its own.
    """
    import resource

    limits = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    sites = [Path(place) for place in sys.path if place.endswith("-packages")]
    code = [Path(__file__), Path(__file__).with_name("server.py")]
    alike = (
        *(sys.prefix, os.path.realpath(sys.executable), sys.version, os.uname().nodename),
        *(umask(), os.getpriority(os.PRIO_PROCESS, 0), os.getgid(), sorted(os.getgroups())),
        [str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("mnt", "pid", "net", "user")],
        sorted(os.sched_getaffinity(0)),
        [resource.getrlimit(limit) for limit in limits],
        [(str(place), place.stat().st_mtime_ns) for place in (*sites, *code) if place.exists()],
        sorted((k, v) for k, v in os.environ.items() if k.startswith(ALIKE)),
    )
    return folder() / f"{hashlib.sha256(repr(alike).encode()).hexdigest()[:16]}.sock"


def _connect() -> socket.socket | None:
    """A connection to the worker of this environment, if there is one."""
    if not is_private(folder()):
        return None
    with contextlib.suppress(OSError):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(socket_path()))
            return connection
        except OSError:
            connection.close()
    return None


# --- Handing a command over ----------------------------------------------------------------------


def hand_over() -> int | None:
    """Have the worker run this process's command; its exit code, None where there is no worker.

    Only what was started as `python -m runner` or as the script `runner`, without an option of
    Python's, is handed over: no debugger, no test, no script that calls `main()`. Nor is what has
    a stream closed, or names an open file of this process (`<(zcat x.gz)`).
    """
    script = sys.orig_argv[1:2] == sys.argv[:1] and Path(sys.argv[0]).name == "runner"
    here = (
        not (script or sys.orig_argv[1:3] == ["-m", "runner"])
        or sys.argv[1:2] == ["warm"]
        or sys.platform != "linux"
        or os.environ.get(WARM) == "off"
        or None in (sys.stdin, sys.stdout, sys.stderr)
        or any("/fd/" in word for word in sys.argv[1:])
    )
    connection = None if here else _connect()
    if connection is None:
        return None
    with connection:
        try:
            order = {
                "argv": sys.argv,
                "path": sys.path,
                "folder": str(Path.cwd()),
                "environment": dict(os.environ),
                "ignored": [s for s in PASSED_ON if signal.getsignal(s) is signal.SIG_IGN],
            }
            send(connection, order, [0, 1, 2])
            process = int(receive(connection)[0]["process"])
        except (OSError, EOFError):
            return None  # it was about to end, and has begun nothing; or our folder is gone
        with _signals_to(process):
            return _wait(connection, process)


def _wait(connection: socket.socket, process: int) -> int:
    """How the process ended that the worker has started for us."""
    try:
        status = int(receive(connection)[0]["status"])
    except (OSError, EOFError):
        with contextlib.suppress(OSError):
            while True:
                os.kill(process, 0)
                time.sleep(0.1)
        complain(
            "error: the warm worker was killed, so that how this command ended is not known: "
            "python -m warehouse runs shows what is recorded"
        )
        return 1
    if os.WIFSIGNALED(status):
        ended_by = os.WTERMSIG(status)
        if ended_by in SIGNALS:  # before it could listen
            complain("stopped")
            return INTERRUPTED
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(ended_by, signal.SIG_DFL)
        os.kill(os.getpid(), ended_by)
    return os.waitstatus_to_exitcode(status)


@contextlib.contextmanager
def _signals_to(process: int) -> Iterator[None]:
    """What is sent to this process, Ctrl-C and Ctrl-Z included, goes to the other one."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            try:
                # A terminal would tell the processes that the other has started, too.
                send = os.kill if number in (signal.SIGTERM, signal.SIGHUP) else os.killpg
                send(process, number)
            except ProcessLookupError:
                os.kill(process, number)  # it has begun this moment, and leads no group yet

    def sleep(number: int, frame: FrameType | None) -> None:
        pass_on(signal.SIGSTOP, frame)
        os.kill(os.getpid(), signal.SIGSTOP)
        pass_on(signal.SIGCONT, frame)

    # The other process counts them, not this one.
    counter = signal.set_wakeup_fd(-1)
    before = {
        number: signal.signal(number, sleep if number == signal.SIGTSTP else pass_on)
        for number in (*PASSED_ON, signal.SIGTSTP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(counter)


# --- Messages: a length, then JSON; open files travel with the length ----------------------------


def send(connection: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Send one message, and open files with it."""
    text = json.dumps(message).encode()
    socket.send_fds(connection, [len(text).to_bytes(8, "big")], files)
    connection.sendall(text)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One message and the open files that came with it; EOFError where the other end is gone."""
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    text = b""
    size = int.from_bytes(head, "big")
    while len(text) < size and (more := connection.recv(size - len(text))):
        text += more
    if len(head) < 8 or len(text) < size:
        raise EOFError("the other end is gone")
    return json.loads(text), files


# --- The command ---------------------------------------------------------------------------------


def start(idle: float) -> str:
    """Start a worker for commands of this environment, unless there is one; says what there is.

    idle: minutes without a command after which it ends. Raises ConfigError where it cannot be.
    """
    if sys.platform != "linux":
        raise ConfigError("warm needs Linux: elsewhere TensorFlow does not bear to be forked")
    if connection := _connect():
        connection.close()
        return "there is a warm worker already; python -m runner warm --stop ends it"
    place = folder()
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700, parents=True)
    if not is_private(place):
        raise ConfigError(
            f"{place} is not a folder that only you can write into: delete it, "
            "or set XDG_RUNTIME_DIR to another folder"
        )
    log = socket_path().with_suffix(".txt")
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "runner.commands.warm.server", str(60 * idle)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    until = time.monotonic() + PATIENCE
    while worker.poll() is None and time.monotonic() < until:
        if connection := _connect():
            connection.close()
            return (
                f"process {worker.pid} keeps TensorFlow imported for python -m runner until it "
                f"was idle for {idle:g} minutes; python -m runner warm --stop ends it"
            )
        time.sleep(0.05)
    worker.kill()
    if connection := _connect():
        connection.close()
        return "there is a warm worker already; python -m runner warm --stop ends it"
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise ConfigError(f"the warm worker did not start: {last[0]} ({log})")


def stop() -> str:
    """End the worker, once the commands that it runs have ended; says whether there was one."""
    connection = _connect()
    if connection is None:
        return "there is no warm worker for this environment"
    with connection:
        send(connection, {"stop": True})
    return "the warm worker ends"

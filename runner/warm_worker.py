"""The process of `python -m runner warm`: imports TensorFlow once, and forks for every command.

One thread, so that it may fork. It must not have asked for devices: CUDA does not bear a fork.
What it forks goes on below as `python -m runner` would, in a process that is nobody's but its
own; the parent tells who asked how that ended, and kills it where who asked is killed.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from runner import warm

OURS = ("runner", "runner_plugins", "warehouse")
PRELOADED = ("tensorflow", "keras", "hydra.main", "pydantic", "pluggy", "sklearn")
"""What runs import, as far as it starts no thread that a fork would lose, as DuckDB does."""
PATIENCE = 10.0
"""Seconds that who connects may take for the order."""


def main() -> None:
    """Serve until idle for the seconds that are the one argument; in a fork, be the command."""
    listener = _ready()
    path = Path(listener.getsockname())
    order = serve(listener, float(sys.argv[1]))
    if order is None:
        path.unlink(missing_ok=True)
        return
    become(order)
    runpy.run_module("runner", run_name="__main__", alter_sys=True)


def _ready() -> socket.socket:
    """Import what takes long, forget what is ours, and listen."""
    import importlib

    from runner.devices import without_collecting, without_notices

    with without_notices(), without_collecting():
        for name in PRELOADED:
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    path = warm.socket_path()
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    os.chdir("/")  # nobody's folder is in use for this
    return listener


def serve(listener: socket.socket, idle: float) -> dict[str, Any] | None:
    """Fork for every order: returns the order in the fork, and None in the parent at the end."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    processes: dict[socket.socket, int] = {}
    """Who asked, and the process that does it."""
    listening = True
    while listening or processes:
        ready = selector.select(None if processes else idle)
        if not ready and not processes:
            break
        for key, _ in ready:
            if key.fileobj is listener:
                connection, _ = listener.accept()
                order = _order(connection)
                if order is None:
                    continue
                if "stop" in order:
                    listening = False
                    selector.unregister(listener)
                    listener.close()
                    continue
                process = os.fork()
                if not process:
                    selector.close()
                    listener.close()
                    for other in (connection, *processes):
                        other.close()
                    return order
                for file in order["files"]:
                    os.close(file)
                processes[connection] = process
                selector.register(os.pidfd_open(process), selectors.EVENT_READ, connection)
                selector.register(connection, selectors.EVENT_READ)
                with contextlib.suppress(OSError):
                    warm.send(connection, {"process": process})
            elif isinstance(key.fileobj, socket.socket):
                # Who asked is gone, as by kill -9: so is what it asked for.
                selector.unregister(key.fileobj)
                os.kill(processes[key.fileobj], signal.SIGKILL)
            else:
                connection = key.data
                _, status = os.waitpid(processes.pop(connection), 0)
                selector.unregister(key.fileobj)
                os.close(key.fd)
                with contextlib.suppress(KeyError):
                    selector.unregister(connection)
                with contextlib.suppress(OSError):
                    warm.send(connection, {"status": status})
                connection.close()
    return None


def _order(connection: socket.socket) -> dict[str, Any] | None:
    """What is asked for; None where the other end only looked whether there is a worker."""
    connection.settimeout(PATIENCE)
    try:
        order, files = warm.receive(connection)
        connection.settimeout(None)
        return order | {"files": files}
    except (OSError, EOFError):
        connection.close()
        return None


def become(order: dict[str, Any]) -> None:
    """Take on the folder, environment, words, streams and signals of who asked."""
    os.setsid()
    for stream, file in enumerate(order["files"]):
        os.dup2(file, stream)
        os.close(file)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
    for number in warm.PASSED_ON:
        signal.signal(number, signal.SIG_IGN if number in order["ignored"] else signal.SIG_DFL)
    if signal.SIGINT not in order["ignored"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv[:] = order["argv"]
    sys.path[:] = order["path"]
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # else all forks would draw alike


if __name__ == "__main__":
    main()

"""The process of `python -m runner warm`: imports TensorFlow once, and forks for every command.

It runs one thread of Python's, starts none, and imports nothing that does: a fork has only the
thread that forked. Nor has it asked for devices: CUDA does not bear a fork. What it forks goes on
below as `python -m runner` would, in a session of its own; the parent tells who asked how that
ended, and kills it where who asked is killed. What it imports of ours it forgets before the first
fork, so that every command runs the code as it is then.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import io
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.commands.warm import client as warm
from runner.system.signals import SIGNALS

OURS = ("runner", "runner_plugins", "warehouse")
PRELOADED = ("tensorflow", "keras", "hydra.main", "pydantic", "pluggy", "sklearn")
"""What runs import, as far as it bears a fork. DuckDB has a thread that a fork would lose."""
PATIENCE = 1.0
"""Seconds that the rest of an order may take once it has begun."""


def main() -> None:
    """Serve until idle for the seconds that are the one argument; in a fork, be the command."""
    path = warm.socket_path()
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another one is about to be ready")
        added = _preload()
        order = Server(path, lock.fileno()).serve(float(sys.argv[1]))
    if order is not None:
        become(order, added)
        runpy.run_module("runner", run_name="__main__", alter_sys=True)


def _preload() -> dict[str, str]:
    """Import what takes long; what that added to the environment."""
    from runner.backend.devices import without_collecting, without_notices

    before = dict(os.environ)
    # The folder where the user stood is not to shadow a library for every later command.
    sys.path[:] = [place for place in sys.path if place not in ("", str(Path.cwd()))]
    with without_notices(), without_collecting():
        for name in PRELOADED:
            if importlib.util.find_spec(name.partition(".")[0]):
                importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    os.chdir("/")  # nobody's folder is in use for this
    return {name: value for name, value in os.environ.items() if name not in before}


class Server:
    """Who asked, and the processes that do it."""

    def __init__(self, path: Path, lock: int) -> None:
        """path: of the socket, to be made. lock: a file that is locked for as long as it is."""
        self.path = path
        self.lock = lock
        self.processes: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        self.listener: socket.socket | None = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)  # of one that was killed
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.signals, ours = socket.socketpair()
        ours.setblocking(False)
        self.signals.setblocking(False)
        self.wakes = ours
        self.selector.register(self.signals, selectors.EVENT_READ)
        signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def serve(self, idle: float) -> dict[str, Any] | None:
        """Fork for every order: returns the order in the fork, and None in the parent at the end.

        idle: seconds without a command after which it ends.
        """
        while self.listener or self.processes:
            ready = self.selector.select(None if self.processes else idle)
            if not ready and not self.processes:
                break
            for key, _ in ready:
                if key.fileobj is self.listener:
                    with contextlib.suppress(OSError):
                        asking, _ = self.listener.accept()
                        self.selector.register(asking, selectors.EVENT_READ)
                elif key.fileobj is self.signals:
                    self._signalled()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0:
                    if key.fileobj in self.processes:
                        # Who asked is gone, as by kill -9: so is what it asked for.
                        self.selector.unregister(key.fileobj)
                        os.kill(self.processes[key.fileobj], signal.SIGKILL)
                    elif (order := self._order(key.fileobj)) is not None:
                        return order
        self._retire()
        return None

    def _order(self, asking: socket.socket) -> dict[str, Any] | None:
        """Do what somebody asks for; the order, in the fork that is to do it."""
        order: dict[str, Any] = {}
        files: list[int] = []
        process = -1
        try:
            asking.settimeout(PATIENCE)
            order, files = warm.receive(asking)
            asking.settimeout(None)
            if "stop" not in order:
                # Not heard before the command itself listens, and then heard.
                signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                try:
                    process = os.fork()
                finally:
                    if process != 0:
                        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        except (OSError, EOFError):
            pass  # it only looked whether we are there, or runs where it is
        if process == 0:
            self._leave(asking)
            return order | {"files": files}
        for file in files:
            os.close(file)
        if process < 0:
            self.selector.unregister(asking)
            asking.close()
        else:
            self.processes[asking] = process
            with contextlib.suppress(OSError):
                warm.send(asking, {"process": process})
        if "stop" in order:
            self._retire()
        return None

    def _signalled(self) -> None:
        """A process has ended, or we are to end."""
        numbers = self.signals.recv(4096)
        if signal.SIGTERM in numbers:
            self._retire()
        for asking, process in list(self.processes.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del self.processes[asking]
                with contextlib.suppress(KeyError):
                    self.selector.unregister(asking)
                with contextlib.suppress(OSError):
                    warm.send(asking, {"status": status})
                asking.close()

    def _retire(self) -> None:
        """Take no more orders; another worker may start."""
        if self.listener:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None
            self.path.unlink(missing_ok=True)
            fcntl.flock(self.lock, fcntl.LOCK_UN)

    def _leave(self, asking: socket.socket) -> None:
        """In a fork: nothing of the server is left open."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for end in (asking, self.listener, self.signals, self.wakes, *self.processes):
            if end:
                end.close()


def become(order: dict[str, Any], added: dict[str, str]) -> None:
    """Take on the folder, environment, words, streams and signals of who asked.

    added: what the imports would have added to the environment.
    """
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
    os.environ.update(added | order["environment"])
    os.chdir(order["folder"])
    sys.argv[:] = order["argv"]
    sys.path[:] = order["path"]
    # What was found out in another environment.
    time.tzset()
    tempfile.tempdir = None
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # else all forks would draw alike


if __name__ == "__main__":
    main()

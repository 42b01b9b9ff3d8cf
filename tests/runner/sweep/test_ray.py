"""`hydra/launcher=ray` on a real cluster: three nodes, each a Ray of its own, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import warehouse
from tests.conftest import Site
from tests.runner.session import as_users_have_it

pytestmark = pytest.mark.slow
SMALL = ["experiment=digits_mlp", "architecture.units=[8]", "limit_batches=2"]
LONG = [*SMALL, "epochs=60", "limit_batches=4", "callback=nap", "engine=fast", "checkpoint=1"]
TOYS = """
    from runner import optimizer

    @optimizer
    def toy(*, learning_rate: float = 0.1):
        "A toy."
        import keras
        return keras.optimizers.SGD(learning_rate)
"""
SLEEPERS = """
    import os, time
    from pathlib import Path
    from runner import callback

    @callback
    def nap(*, seconds: float = 0.3):
        "Sleeps after each epoch."
        import keras
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(seconds))

    @callback
    def killed(*, once: str):
        "Ends its process as the kernel does where memory is short, once."
        import keras
        def end(epoch, logs):
            if epoch == 1 and not Path(once).exists():
                Path(once).touch()
                os.kill(os.getpid(), 9)
        return keras.callbacks.LambdaCallback(on_epoch_end=end)

    @callback
    def doomed():
        "Ends its process as it is made, whichever that is."
        os.kill(os.getpid(), 9)
"""


@dataclass
class Three:
    """The cluster, and what its nodes have."""

    cluster: Any
    nodes: dict[str, Any]
    environment: dict[str, str]

    def add(self, name: str, **environment: str) -> Any:
        """One more node."""
        node = self.cluster.add_node(
            num_cpus=1,
            object_store_memory=80_000_000,
            include_dashboard=False,
            node_name=name,
            env_vars=environment,
        )
        self.nodes[name] = node
        return node


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """Nodes red, blue and green; blue lacks one component, green has a toy of another version."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("ray")
    site, newer = Site(folder / "site"), Site(folder / "newer")
    site.install(TOYS)
    newer.install(TOYS, version="2.0")
    for folder_of_node in (site, newer):
        folder_of_node.install(SLEEPERS, "sleepers")
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED")}
    os.environ |= {"PYTHONPATH": str(site.folder), "RAY_USAGE_STATS_ENABLED": "0"}
    on_term = signal.getsignal(signal.SIGTERM)
    args = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args={**args, "node_name": "red"})
    made = Three(cluster, {}, {"PYTHONPATH": str(site.folder)})
    made.add("blue", SWEEPHOUSE_DISABLE="optimizer/toy")
    made.add("green", PYTHONPATH=str(newer.folder))
    yield made
    cluster.shutdown()
    signal.signal(signal.SIGTERM, on_term)
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


BEGUN: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def no_command_stays() -> Iterator[None]:
    """A test that fails leaves no command that holds the nodes."""
    yield
    for command in BEGUN:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()
        assert command.stdout is not None
        command.stdout.close()
    BEGUN.clear()


def begin(three: Three, folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command of a sweep over the cluster, begun."""
    address = three.cluster.address
    launcher = ["hydra/launcher=ray", f"hydra.launcher.address={address}", "hydra.launcher.pack=1"]
    command = subprocess.Popen(
        [sys.executable, "-m", "runner", "--multirun", *launcher, *words],
        cwd=folder,
        env=as_users_have_it(three.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    BEGUN.append(command)
    return command


def sweep(three: Three, folder: Path, *words: str) -> tuple[int, str]:
    """The same to its end: its exit code and what it printed."""
    command = begin(three, folder, *words)
    out, _ = command.communicate(timeout=500)
    return command.returncode, out


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the warehouse says."""
    warehouse.sync(folder / "results", wait=30.0)
    with warehouse.connect(folder / "results") as connection:
        return connection.execute(sql).fetchall()


def wait_for(true: Callable[[], Any], seconds: float = 400.0) -> Any:
    """What comes at last."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.3)
    raise AssertionError("it never came")


def epochs_there(folder: Path) -> dict[Path, int]:
    """The open journals at the head, and how many epochs each has."""
    return {
        path: path.read_bytes().count(b'"epoch_end"')
        for path in (folder / "results" / "journals").glob("*.jsonl")
        if not path.name.endswith(".done.jsonl")
    }


LOSSES = """
    SELECT seed, list(loss ORDER BY epoch) FROM runs JOIN epochs USING (run_id)
    WHERE status = 'finished' GROUP BY ALL ORDER BY seed
"""


def test_losses_are_those_of_the_packed_launcher(three: Three, tmp_path: Path) -> None:
    words = [*SMALL, "epochs=3", "engine=fast", "seed=1,2,3,4,5,6"]
    code, out = sweep(three, tmp_path, *words)
    assert code == 0, out
    assert "6 finished" in out
    assert rows(tmp_path, "SELECT count(DISTINCT pid) > 1 FROM runs") == [(True,)]
    here = tmp_path / "here"
    here.mkdir()
    subprocess.run(
        [sys.executable, "-m", "runner", "--multirun", *words],
        cwd=here,
        env=as_users_have_it(),
        check=True,
        capture_output=True,
    )
    assert rows(tmp_path, LOSSES) == rows(here, LOSSES)
    files = rows(tmp_path, "SELECT uri, sha256 FROM weights ORDER BY ALL")
    assert files and all((tmp_path / "results" / uri).is_file() for uri, _ in files)
    assert not list((tmp_path / "results" / "weights").rglob("*.tmp"))


@pytest.mark.exhaustive
def test_a_node_without_a_plugin_or_with_another_trains_nothing(
    three: Three, tmp_path: Path
) -> None:
    code, out = sweep(three, tmp_path, *SMALL, "epochs=1", "optimizer=toy", f"seed={seeds(9)}")
    assert code == 0, out
    assert "9 finished" in out
    assert "node blue has no optimizer 'toy': it comes with the package toys 1.0" in out
    assert "node green has the optimizer 'toy' of 2.0 of toys, and the head has 1.0" in out


@pytest.mark.exhaustive
def test_a_worker_killed_as_for_memory_costs_no_run(three: Three, tmp_path: Path) -> None:
    words = [*SMALL, "epochs=4", "engine=fast", "checkpoint=1", "callback=killed"]
    once = f"callback.killed.once={tmp_path / 'once'}"
    code, out = sweep(three, tmp_path, *words, once, "seed=1,2,3")
    assert code == 0, out
    assert "the worker on node" in out and "died" in out
    found = rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY ALL ORDER BY ALL")
    assert found == [("finished", 3), ("lost", 1)]
    assert rows(
        tmp_path,
        "SELECT l.seed = r.seed FROM runs r JOIN runs l ON r.resumed_from = l.run_id",
    ) == [(True,)]


@pytest.mark.exhaustive
def test_what_kills_each_worker_before_it_begins_is_given_up(three: Three, tmp_path: Path) -> None:
    code, out = sweep(three, tmp_path, *SMALL, "epochs=1", "callback=doomed", "seed=1")
    assert code == 2, out
    assert "died, as did 2 before: the run is not tried again" in out


@pytest.mark.exhaustive
def test_a_node_killed_in_the_middle_costs_no_run(three: Three, tmp_path: Path) -> None:
    yellow = three.add("yellow")
    command = begin(three, tmp_path, *LONG, "seed=1,2,3,4")
    wait_for(lambda: len([n for n in epochs_there(tmp_path).values() if n > 3]) == 4)
    three.cluster.remove_node(yellow, allow_graceful=False)
    out, _ = command.communicate(timeout=500)
    assert command.returncode == 0, out
    assert "the worker on node yellow died" in out
    found = rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY ALL ORDER BY ALL")
    assert found == [("finished", 4), ("lost", 1)]
    assert rows(tmp_path, "SELECT min(epochs), max(epochs) FROM runs WHERE status='finished'") == [
        (60, 60)
    ]
    [(resumed,)] = rows(tmp_path, "SELECT count(*) FROM runs WHERE resumed_from IS NOT NULL")
    assert resumed == 1


@pytest.mark.exhaustive
def test_a_killed_head_leaves_journals_and_no_workers(three: Three, tmp_path: Path) -> None:
    command = begin(three, tmp_path, *LONG, "seed=1,2,3")
    wait_for(lambda: len([n for n in epochs_there(tmp_path).values() if n > 3]) == 3)
    found = rows(tmp_path, "SELECT status, pid FROM runs ORDER BY ALL")
    assert [status for status, _ in found] == ["running"] * 3
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    wait_for(lambda: not any(is_alive(pid) for _, pid in found), 60.0)
    assert rows(tmp_path, "SELECT status, min(epochs) > 3 FROM runs GROUP BY ALL") == [
        ("lost", True)
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_once_ends_epochs_and_twice_ends_at_once(
    three: Three, tmp_path: Path, times: int
) -> None:
    command = begin(three, tmp_path, *LONG, "seed=1,2,3,4,5,6")
    wait_for(lambda: len([n for n in epochs_there(tmp_path).values() if n > 1]) == 3)
    for _ in range(times):
        command.send_signal(signal.SIGINT)
        time.sleep(0.2)
    out, _ = command.communicate(timeout=120)
    assert command.returncode == 130, out
    assert "stopping after this epoch; once more stops at once" in out
    found = rows(tmp_path, "SELECT status, reason, pid FROM runs")
    assert [(status, reason) for status, reason, _ in found] == [("stopped", "user")] * 3
    wait_for(lambda: not any(is_alive(pid) for *_, pid in found), 60.0)


def seeds(number: int) -> str:
    return ",".join(map(str, range(number)))


def is_alive(pid: int) -> bool:
    """Whether a process of this machine goes on, and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.exhaustive
def test_a_search_hands_its_batches_to_the_cluster(three: Three, tmp_path: Path) -> None:
    search = ["hydra/sweeper=search", "search.trials=6", "search.batch=3", "search.confirm=0"]
    space = ["search.sampler=random", "optimizer.learning_rate=interval(0.001,0.1)"]
    code, out = sweep(three, tmp_path, *search, *space, *SMALL, "epochs=1")
    assert code == 0, out
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY ALL") == [("finished", 6)]

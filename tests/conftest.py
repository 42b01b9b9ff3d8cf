"""Small real things that tests share: trained runs, and plugins installed as pip would."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import runner
from runner.components.registry import load
from tests import servers

# Hundreds of processes import the same files. Where nobody keeps what is compiled, each compiles
# them anew, and each worker rewrites all of the tests' assertions.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Every property test draws the same examples each time, and none fails because a machine is busy.
hypothesis.settings.register_profile(
    "seeded",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("seeded")


class Site:
    """A folder on sys.path into which a test installs plugins, as pip would."""

    def __init__(self, folder: Path) -> None:
        """folder: made here; whoever makes the Site puts it on sys.path."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def install(self, source: str, name: str = "toys", version: str = "1.0") -> None:
        """Put a module there, with the entry point that makes it a plugin; replaces an older."""
        self.remove(name)
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
        entry = f"[runner]\n{name} = {name}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        self.forget(name)

    def remove(self, name: str) -> None:
        """Take a plugin away again."""
        for info in self.folder.glob(f"{name}-*.dist-info"):
            shutil.rmtree(info)
        (self.folder / f"{name}.py").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        self.forget(name)

    def forget(self, name: str) -> None:
        """Make this process see what lies there now."""
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        load.cache_clear()


PARTS = 5
"""CI takes one of so many parts of the slow tests, another for each commit, one case of each test.

All of them take two cores more than an hour: `python -m pytest -m slow`.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all but the first case of a test that is marked `many` to the slow tests."""
    begun: set[tuple[Path, str]] = set()
    cases: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        test = item.path, item.originalname
        if item.get_closest_marker("many"):
            if test in begun:
                item.add_marker(pytest.mark.slow)
            begun.add(test)
        if item.get_closest_marker("slow"):
            cases.setdefault(test, []).append(item)
    commit = os.environ.get("SWEEPHOUSE_COMMIT", "")
    for (path, name), each in cases.items():
        number = zlib.crc32(f"{commit} {path.name} {name}".encode())
        for place, item in enumerate(each):
            if place != number % len(each) or (commit and number % PARTS):
                item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(autouse=True)
def surprises(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exception]]:
    """What was raised where packs declined for no rule of theirs: a bug might hide there.

    A test in which that happens fails, unless it looks at them and clears the list.
    """
    from runner.engines.packed import engine as packed

    raised: list[Exception] = []
    usual = packed._surprise

    def noted(error: Exception) -> str:
        raised.append(error)
        return usual(error)

    monkeypatch.setattr(packed, "_surprise", noted)
    yield raised
    if raised:
        raise AssertionError("packs declined for an exception, no rule of theirs") from raised[0]


@pytest.fixture(autouse=True)
def no_data_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is given the data that another one's runs have left in memory."""
    from runner.sweep.plan import Source

    monkeypatch.setattr(Source, "_kept", None)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site folder; what a test installs there is gone after it."""
    folder = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder.folder))
    yield folder
    monkeypatch.undo()
    for file in folder.folder.glob("*.py"):
        folder.forget(file.stem)
    load.cache_clear()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder that does not exist yet."""
    return tmp_path / "results"


@pytest.fixture
def train(results: Path) -> Callable[..., Any]:
    """`runner.run` with its results in the test's own folder."""

    def train(*overrides: str) -> Any:
        return runner.run([*overrides, f"results={results}"])

    return train


@pytest.fixture(scope="session")
def snippets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution that dataset=snippets reads, fetched by pip; skips without pip.

    The environment variable SWEEPHOUSE_SNIPPETS may say where it lies already.
    """
    if "SWEEPHOUSE_SNIPPETS" in os.environ:
        return Path(os.environ["SWEEPHOUSE_SNIPPETS"])
    folder = tmp_path_factory.mktemp("snippets")
    what = ("vaderSentiment==0.5", "--no-binary", ":all:", "--no-deps", "--no-build-isolation")
    pip = [sys.executable, "-m", "pip", "download", *what, "--dest", str(folder)]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch the snippets: {done.stderr.strip().splitlines()[-1]}")
    return folder / "vaderSentiment-0.5.zip"


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """Two finished runs of one config and seed, dropout and all, and their results folder."""
    folder = tmp_path_factory.mktemp("twins") / "results"
    overrides = [
        "dataset=wine",
        "preprocessing=[standardize]",
        "regularizer=[l2,dropout,batch_norm]",
        "epochs=3",
        "seed=7",
        "engine=keras",
        f"results={folder}",
    ]
    return runner.run(overrides), runner.run(overrides), folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URI of a PostgreSQL server."""
    with servers.postgres() as uri:
        yield uri


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The URI of a MariaDB server."""
    with servers.mariadb() as uri:
        yield uri


@pytest.fixture(scope="session")
def cars_in_postgres(postgres: str) -> str:
    """The override that has a preset read vega_datasets' cars from PostgreSQL."""
    from runner import package_files

    [file] = package_files("vega_datasets", "_data/cars.json")
    with servers.writing(postgres) as con:
        con.execute(f"CREATE TABLE server.cars AS FROM read_json('{file}')")
    return f"dataset.source={postgres}"

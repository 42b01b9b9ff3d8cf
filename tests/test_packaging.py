"""What an installation holds, and that it works without the checkout."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest

import runner
from tests.runner.session import as_users_have_it

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
HOLD = (".py", ".sql", ".yaml", ".html", ".css", ".js")
# Import name -> folder of the checkout.
FOLDERS = {"runner": "runner", "warehouse": "warehouse"} | SETUPTOOLS["package-dir"]


def test_every_folder_with_code_is_packaged() -> None:
    there = {
        ".".join((name, *file.parent.relative_to(ROOT / folder).parts))
        for name, folder in FOLDERS.items()
        for file in (ROOT / folder).rglob("*")
        if file.suffix in HOLD and "__pycache__" not in file.parts
    }
    assert sorted(SETUPTOOLS["packages"]) == sorted(there)


def test_every_kind_of_file_is_packaged() -> None:
    patterns = SETUPTOOLS["package-data"]["*"]
    left_out = {
        file.name
        for folder in FOLDERS.values()
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
        and "__pycache__" not in file.parts
        and file.suffix != ".py"
        and not any(file.match(pattern) for pattern in patterns)
    }
    assert left_out == set()


def test_the_version_is_the_same_wherever_it_is_stated() -> None:
    version = PROJECT["project"]["version"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\S+)", changes, re.M)
    assert found
    assert found[1] == version
    assert importlib.metadata.version("sweephouse") == version


def test_every_dependency_is_pinned_for_ci() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in pins.splitlines()}
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["data"], *extras["test"]]
    names = {re.split(r"[\[<>=!~ ]", line)[0] for line in asked} - {"sweephouse"}
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in names} - pinned == set()


# --- Installed plainly ---------------------------------------------------------------------------

WANTED = int(re.findall(r"setuptools>=(\d+)", str(PROJECT["build-system"]["requires"]))[0])
HAVE = int(importlib.metadata.version("setuptools").split(".")[0])
needs_setuptools = pytest.mark.skipif(
    HAVE < WANTED, reason=f"building without the network takes setuptools {WANTED}, here is {HAVE}"
)


class Installed:
    """A virtual environment with the project installed in it as a copy."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.empty = folder / "elsewhere"
        self.empty.mkdir()
        ignored = shutil.ignore_patterns(
            ".*", "build", "*.egg-info", "__pycache__", "results", "outputs", "multirun"
        )
        shutil.copytree(ROOT, self.checkout, ignore=ignored)
        venv.create(folder / "venv", with_pip=False)
        self.bin = folder / "venv" / "bin"
        site = folder / "venv" / sysconfig.get_path("purelib", vars={"base": "."})
        # The dependencies are those of the environment that runs the tests.
        needed = [importlib.util.find_spec(name) for name in ("setuptools", "keras", "pip")]
        paths = dict.fromkeys(str(Path(s.origin).parents[1]) for s in needed if s and s.origin)
        (site / "dependencies.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
        self.site = site
        words = ("--no-deps", "--no-build-isolation", "--ignore-installed", "--quiet", ".")
        done = self.python("-m", "pip", "install", *words, cwd=self.checkout)
        assert done.returncode == 0, done.stdout + done.stderr

    def python(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self._run([str(self.bin / "python"), *words], cwd)

    def script(
        self, name: str, *words: str, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self._run([str(self.bin / name), *words], cwd)

    def _run(self, words: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
        environment = as_users_have_it()
        environment.pop("PYTHONPATH", None)
        return subprocess.run(
            words,
            cwd=cwd or self.empty,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


@needs_setuptools
@pytest.mark.slow
def test_a_wheel_puts_no_common_names_into_site_packages(installed: Installed) -> None:
    found = {path.name for path in installed.site.iterdir()}
    ours = found - {"dependencies.pth", "__pycache__"}
    assert ours == {*FOLDERS, f"sweephouse-{PROJECT['project']['version']}.dist-info"}


@needs_setuptools
@pytest.mark.slow
def test_the_default_experiment_trains_far_from_any_checkout(installed: Installed) -> None:
    done = installed.python("-m", "runner", "epochs=1", "limit_batches=2")
    assert done.returncode == 0, done.stderr
    assert "finished after 1 epoch" in done.stdout
    assert "warning" not in done.stderr
    assert {path.name for path in installed.empty.iterdir()} == {"outputs", "results"}
    listed = installed.python("-m", "warehouse", "runs")
    assert listed.returncode == 0, listed.stderr
    assert "finished" in listed.stdout
    where = installed.python("-c", "import runner, warehouse; print(runner.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.site)


@needs_setuptools
@pytest.mark.slow
def test_the_console_scripts_are_there(installed: Installed) -> None:
    assert "ARCHITECTURE" in installed.script("runner", "--help").stdout
    assert "compare" in installed.script("warehouse", "--help").stdout


@needs_setuptools
@pytest.mark.slow
def test_a_checkout_that_differs_from_what_is_installed_is_told(installed: Installed) -> None:
    checkout = installed.checkout
    words = ("--cfg", "job")
    same = installed.python("-m", "runner", *words, cwd=checkout)
    assert (same.returncode, same.stderr) == (0, "")
    changed = checkout / "runner" / "errors.py"
    before = changed.read_text(encoding="utf-8")
    changed.write_text(before + "\n# edited\n", encoding="utf-8")
    try:
        # Run as a module, the checkout's own runner is in use; as a script, the installed one.
        module = installed.python("-m", "runner", *words, cwd=checkout)
        script = installed.script("runner", *words, cwd=checkout)
    finally:
        changed.write_text(before, encoding="utf-8")
    for done in (module, script):
        assert done.returncode == 0, done.stderr
        [line] = done.stderr.splitlines()
        assert line.startswith("warning: ")
        assert str(checkout / "runner") in line
        assert str(installed.site / "runner") in line
        assert "pip install -e ." in line


def test_the_package_says_that_it_is_typed_and_free() -> None:
    assert runner.__file__ is not None
    assert (Path(runner.__file__).parent / "py.typed").is_file()
    assert (ROOT / "LICENSE").is_file()

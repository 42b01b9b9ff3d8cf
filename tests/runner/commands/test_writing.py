"""Files that predict, export and restore write: never onto what is kept, whole or not at all."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import runner
import warehouse
from runner.commands.export import export
from runner.commands.prediction import predict
from runner.commands.restore import restore
from runner.commands.table import run_command
from runner.commands.writing import written
from runner.errors import ConfigError, RunnerError

ROWS = "SELECT i / 10 AS x0, 0.5 AS x1, 1.5 AS x2, 0.2 AS x3 FROM range(150) AS r(i)"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run that is kept, and its results folder, with the snapshot that readers take."""
    results = tmp_path_factory.mktemp("kept") / "results"
    words = ["dataset=iris", "epochs=1", "limit_batches=1", f"results={results}"]
    run_id = runner.run(words).run_id
    with warehouse.connect(results):
        pass
    return run_id, results


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    duckdb.execute(f"COPY ({ROWS}) TO '{file}'")
    return file


# --- Never onto what is kept ---------------------------------------------------------------------


def _symlink(file: Path) -> Path:
    (file.parent / "link.csv").symlink_to(file.name)
    return Path("link.csv")


def _hard_link(file: Path) -> Path:
    (file.parent / "hard.csv").hardlink_to(file)
    return Path("hard.csv")


def _through_a_folder(file: Path) -> Path:
    (file.parent / "folder").symlink_to(file.parent)
    return Path("folder") / file.name


FORMS: dict[str, Callable[[Path], Path]] = {
    "itself": lambda file: file,
    "relative": lambda file: Path(file.name),
    "by a dot": lambda file: Path(f"./{file.name}"),
    "around": lambda file: file.parent / ".." / file.parent.name / file.name,
    "a symbolic link": _symlink,
    "a hard link": _hard_link,
    "a folder's link": _through_a_folder,
}


@pytest.mark.parametrize("source", ["rows.csv", "r*.csv", "data.duckdb"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.slow
def test_predict_never_writes_over_its_source(
    trained: tuple[str, Path],
    rows: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    form: Callable[[Path], Path],
) -> None:
    monkeypatch.chdir(rows.parent)
    if source == "data.duckdb":
        with duckdb.connect("made.duckdb") as con:
            con.execute(f"CREATE TABLE rows AS {ROWS}")
        rows.unlink()
        Path("made.duckdb").rename("data.duckdb")
        # A database is no target by its ending, but by another name.
        rows.symlink_to("data.duckdb")
    before = rows.read_bytes()
    to = form(rows)
    with pytest.raises(ConfigError, match=r"is the --source .* itself"):
        predict(trained[0], source, to, results=trained[1])
    assert rows.read_bytes() == before


def test_an_array_is_not_written_over_either(trained: tuple[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((3, 4)))
    (tmp_path / "said.csv").symlink_to(tmp_path / "rows.npy")
    with pytest.raises(ConfigError, match=r"is the --source .* itself"):
        predict(trained[0], str(tmp_path / "rows.npy"), tmp_path / "said.csv", results=trained[1])


@pytest.mark.parametrize("name", ["journals/x", "weights/x", "artifacts/x", "", "link"])
def test_nothing_is_written_into_what_the_warehouse_keeps(
    trained: tuple[str, Path], rows: Path, name: str
) -> None:
    run, results = trained
    place = results / name
    if name == "link":
        place = rows.parent / "link"
        place.symlink_to(results / "weights")
    kept = {file: file.stat().st_mtime_ns for file in results.rglob("*") if file.is_file()}
    database = rows.parent / "database.csv"
    database.symlink_to(results / "warehouse.duckdb")
    calls: list[Callable[[], Any]] = [
        lambda: predict(run, str(rows), database, results=results),
        lambda: export(run, results / "file-hashes.json", "tflite", results=results),
        lambda: export(run, results / "warehouse.duckdb.wal", "safetensors", results=results),
    ]
    if name:
        calls += [
            lambda: restore(run, place / "m.keras", results=results),
            lambda: export(run, place / "m.h5", results=results),
            lambda: export(run, place / "tensors", "csv", results=results),
            lambda: predict(run, str(rows), place / "p.csv", results=results),
        ]
    for call in calls:
        # Of a folder that is not there, there is nothing else to say.
        with pytest.raises(ConfigError, match=r"results in .* are kept there|there is no folder"):
            call()
    assert kept == {file: file.stat().st_mtime_ns for file in results.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["n" * 300, "n" * 300 + "/n", "file/n", "file/gone/n"])
def test_a_place_that_no_file_can_have_is_one_sentence(
    trained: tuple[str, Path], rows: Path, name: str
) -> None:
    run, results = trained
    (rows.parent / "file").touch()
    place = rows.parent / name
    for call in (
        lambda: predict(run, str(rows), place.with_name(f"{place.name}.csv"), results=results),
        lambda: restore(run, place.with_name(f"{place.name}.keras"), results=results),
        lambda: export(run, place, results=results),
    ):
        with pytest.raises(ConfigError, match=r"is not valid: (there is no folder|File name too)"):
            call()


def test_missing_folders_are_made_for_what_is_written_and_for_nothing_else(
    trained: tuple[str, Path], rows: Path
) -> None:
    run, results = trained
    place = rows.parent / "out" / "deep"
    with pytest.raises(ConfigError), written(place / "x") as draft:
        draft.write_bytes(b"half")
        raise OSError(28, "No space left on device")
    with pytest.raises(KeyboardInterrupt), written(place / "x"):
        raise KeyboardInterrupt
    assert not (rows.parent / "out").exists()
    assert predict(run, str(rows), place / "p.csv", results=results) == 150
    export(run, place / "weights.safetensors", results=results)
    assert {file.name for file in place.iterdir()} == {"p.csv", "weights.safetensors"}


def test_a_link_to_itself_is_replaced(trained: tuple[str, Path], rows: Path) -> None:
    run, results = trained
    loop = rows.with_name("loop.csv")
    loop.symlink_to(loop)
    assert predict(run, str(rows), loop, results=results) == 150
    assert loop.is_file()


def test_beside_what_is_kept_there_is_room(trained: tuple[str, Path], rows: Path) -> None:
    run, results = trained
    assert predict(run, str(rows), results / "said.parquet", results=results) == 150
    (results / "said.parquet").unlink()


# --- Whole or not at all -------------------------------------------------------------------------


@contextmanager
def no_larger(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.many
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("m.keras", None),
        ("m.h5", None),
        ("m.tflite", None),
        ("m.safetensors", None),
        ("saved", None),
        ("tensors", "csv"),
    ],
)
def test_a_disk_that_is_full_is_one_sentence_and_leaves_what_was_there(
    trained: tuple[str, Path], tmp_path: Path, name: str, form: str | None
) -> None:
    run, results = trained
    folder = tmp_path / "here"
    folder.mkdir()
    old = folder / name
    if old.suffix:
        old.write_text("what was there", encoding="utf-8")
    with no_larger(50), pytest.raises(ConfigError, match=r"cannot be written: \w") as told:
        export(run, old, form, results=results)
    assert "\n" not in str(told.value) and "nothing was changed" in str(told.value)
    assert [file.name for file in folder.iterdir()] == ([name] if old.suffix else [])
    assert not old.suffix or old.read_text(encoding="utf-8") == "what was there"
    export(run, old, form, results=results)
    assert [file.name for file in folder.iterdir()] == [name]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 kB, where the test may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_small_disk_keeps_the_predictions_that_were_there(
    trained: tuple[str, Path], rows: Path, small: Path
) -> None:
    run, results = trained
    old = small / "said.csv"
    old.write_text("what was there", encoding="utf-8")
    for call in (
        lambda: predict(run, str(rows), old, results=results),
        lambda: predict(run, str(rows), small / "said.json", results=results),
        lambda: restore(run, small / "m.keras", results=results),
        lambda: export(run, small / "m.h5", results=results),
        lambda: export(run, small / "saved", results=results),
    ):
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            call()
        assert [file.name for file in small.iterdir()] == ["said.csv"]
        assert old.read_text(encoding="utf-8") == "what was there"


def test_what_is_written_keeps_its_links_and_its_mode(
    trained: tuple[str, Path], rows: Path
) -> None:
    run, results = trained
    real, link = rows.with_name("real.csv"), rows.with_name("link.csv")
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    predict(run, str(rows), link, results=results)
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert real.read_text(encoding="utf-8").startswith("row,predicted,probability")


def test_an_empty_folder_is_filled_and_a_pipe_is_written_to(
    trained: tuple[str, Path], rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, results = trained
    empty = rows.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    export(run, Path(), "csv", results=results)
    assert (empty / "tensors.csv").is_file() and Path("tensors.csv").is_file()
    pipe = rows.with_name("pipe.csv")
    os.mkfifo(pipe)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(pipe.read_text().splitlines()))
    reader.start()
    predict(run, str(rows), pipe, results=results)
    reader.join(10)
    assert len(lines) == 151 and pipe.is_fifo()


def test_the_commands_words_hold_nothing_that_a_terminal_acts_on(
    trained: tuple[str, Path], rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, results = trained
    to = rows.with_name("a\x1b[31m.csv")
    words = ["predict", run, "--source", str(rows), "--to", str(to), "--results", str(results)]
    assert run_command(words) == 0
    assert "a\\x1b[31m.csv" in capsys.readouterr().out
    with pytest.raises(RunnerError, match="--source - does not exist"):
        run_command([*words[:3], "-", *words[4:]])

"""One bad thing in a results folder costs itself alone, and nothing of the user's.

`SWEEPHOUSE_ROUNDS=20 python -m pytest tests/warehouse/test_hostile.py` draws 20 times as many.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

import warehouse
from tests.warehouse.hostile import Scene, scene_of
from tests.warehouse.sound import BAD, OWN, Rows, build, rows_of_good

SEEDS = 20 * int(os.environ.get("SWEEPHOUSE_ROUNDS", "1"))
QUICK = 4
PATIENCE = 10.0
"""Seconds after which a command counts as hung."""


class Hung(BaseException):
    """A command that does not come back; no `except` of ours may take it for something else."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder before anything bad is in it."""
    home = tmp_path_factory.mktemp("template") / "home"
    build(home)
    return home


@pytest.fixture(scope="module")
def sound(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of the sound runs where nothing bad is in the folder."""
    results = tmp_path_factory.mktemp("sound") / "results"
    shutil.copytree(template / "results", results)
    assert warehouse.sync(results).problems == []
    rows = rows_of_good(results)
    assert all(rows.values()), [table for table, there in rows.items() if not there]
    return rows


def check_good(scene: Scene, sound: Rows) -> None:
    """Every row of the sound runs is there, once."""
    rows = rows_of_good(scene.results)
    for table, expected in sound.items():
        there = rows[table]
        if "-" in scene.named.removesuffix(BAD):
            # Care or a judgement, which may have come to be one of a sound run.
            there = [row for row in there if row in expected]
        missed = ("predictions", "row_sums")
        if table in missed and scene.displaced and "artifacts" in scene.bad:
            continue  # their file was out of the way; `verify` says so, and a rebuild reads it
        assert there == expected, (scene.bad, table)


def tree(folder: Path) -> dict[str, str]:
    """Every file, link and folder below, with what is in it; nothing is followed."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        what = "other"
        if stat.S_ISLNK(mode):
            what = f"link to {path.readlink()}"
        elif stat.S_ISDIR(mode):
            what = "folder"
        elif stat.S_ISREG(mode):
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        contents[str(path.relative_to(folder))] = what
    return contents


def own_files(scene: Scene) -> dict[str, str | None]:
    """The user's files inside of the results folder that are there, with their content."""
    return {
        name: (scene.results / name).read_text()
        for name in OWN
        if (scene.results / name).is_file()
    }


@contextmanager
def limited(seconds: float = PATIENCE) -> Iterator[None]:
    """Raise Hung in what takes longer."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def mentions(scene: Scene, result: warehouse.SyncResult) -> str:
    """All that names what did not go in, and the names of what did."""
    rejected = scene.results / "journals" / "rejected"
    names = [path.name for path in rejected.iterdir()] if rejected.is_dir() else []
    with warehouse.connect(scene.results) as con:
        there = con.execute(
            "SELECT run_id FROM runs UNION ALL "
            "SELECT unnest([concat('judgement-', judgement_id), concat('judgement-', run_id)]) "
            "FROM judgements UNION ALL "
            "SELECT unnest([concat('care-', entry_id), concat('care-', run_id)]) FROM care"
        ).fetchall()
    sentences = [*result.problems, result.reason or "", *names, *(name for (name,) in there)]
    return "\n".join(sentences)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.slow if seed >= QUICK else ()) for seed in range(SEEDS)],
)
def test_one_bad_thing_costs_itself_alone(
    template: Path, sound: Rows, tmp_path: Path, seed: int
) -> None:
    scene = scene_of(seed, template, tmp_path / "home")
    outside, own = tree(scene.outside), own_files(scene)
    with limited():
        result = warehouse.sync(scene.results)
        runs = scene.house.command("runs")
        if scene.may_refuse:
            assert runs.returncode in (0, 2) and runs.stderr.count("\n") < 2, (scene.bad, runs)
        else:
            assert runs.returncode == 0, (scene.bad, runs)
            check_good(scene, sound)
            assert scene.named in mentions(scene, result), (scene.bad, result)
        chance = random.Random(seed)
        for words in (("verify",), ("gc", "--yes"), ("rebuild",)):
            # A rebuild from what is left would make of `mend` another story.
            if chance.random() < 0.1 and not scene.displaced and not scene.may_refuse:
                done = scene.house.command(*words)
                assert done.returncode in (0, 1, 2), (scene.bad, words, done)
    assert tree(scene.outside) == outside, scene.bad
    assert own_files(scene) == own, scene.bad
    # Nothing is lost: without it, all is there.
    scene.mend()
    with limited():
        assert not warehouse.sync(scene.results).reason, scene.bad
        check_good(scene, sound)

"""Whatever is typed ends in an exit code and words, never in a traceback, a hang or a signal.

`SWEEPHOUSE_FUZZ=600 python -m pytest tests/faults/test_fuzzer.py -m slow -s -n 0` draws for ten
minutes; `SWEEPHOUSE_FUZZ_SEED=123` begins there, as what failed says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.drawn import Line, drawn
from tests.faults.engine import SIDE
from tests.faults.nursery import Nursery
from tests.warehouse.conftest import House as Filled
from tests.warehouse.conftest import records

SECONDS = float(os.environ.get("SWEEPHOUSE_FUZZ", "20"))
SEED = int(os.environ.get("SWEEPHOUSE_FUZZ_SEED", "0"))
PATIENCE = 60.0
"""Seconds after which a command counts as hung, on a machine that is busy besides."""
CODES = (0, 1, 2, 3, 130)
"""3: a sweep that its seconds were over for."""
LONGEST = 6000
"""Characters of a sentence; whoever typed 10,000 does not want to read them again."""
ODD = "<b>é\x1b[2J" + "n" * 300
"""A name that a page, a terminal and a file's name each take badly."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


class Typed:
    """A folder with runs, files and a warm process, in which lines are typed."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder, self._nursery = folder, nursery
        (folder / "text.txt").write_text("hello\n")
        (folder / "file").touch()
        filled = Filled(folder / "results")
        odd = {"experiment": ODD, "params": {ODD: float("nan"), "optimizer.learning_rate": 1e-3}}
        self.run_ids = [filled.run(), filled.run(**odd), filled.run(epochs=0)]
        filled.write(records("01-left-behind"), finish=False)
        assert self(Line("warehouse", ["sync"]))[0] == 0

    def __call__(self, line: Line) -> tuple[int, str]:
        """The exit code, or minus the signal that ended it, and what was printed."""
        printed = self.folder / "said"
        printed.unlink(missing_ok=True)
        pid = self._nursery.start(
            line.words,
            folder=str(self.folder),
            printed=str(printed),
            env={SIDE: str(self.folder / "side"), "HOME": str(self.folder)} | line.environment,
            program=line.program,
            seconds=PATIENCE,
        )
        code = self._nursery.wait(pid)
        return code, printed.read_text(encoding="utf-8", errors="replace")


def fault_of(code: int, said: str) -> str:
    """What is wrong with how a command ended; empty if nothing."""
    if code not in CODES:
        return f"it ended with {code}" + (", as it hung" if code == -14 else "")
    if "Traceback (most recent call last)" in said:
        return "a traceback"
    if code == 2 and len(said) > LONGEST:
        return f"{len(said)} characters"
    return "" if code != 2 or said.strip() else "not a word"


@pytest.mark.slow
def test_nothing_that_is_typed_ends_in_a_traceback(tmp_path: Path, nursery: Nursery) -> None:
    typed = Typed(tmp_path, nursery)
    faults, seed, until = [], SEED, time.monotonic() + SECONDS
    while time.monotonic() < until:
        line = drawn(seed, tmp_path, typed.run_ids)
        code, said = typed(line)
        if fault := fault_of(code, said):
            words = " ".join(f"{word:.60}" for word in line.words)
            faults.append(f"seed {seed}: {line.program} {words} {line.environment}: {fault}")
            print(faults[-1], said[-600:], sep="\n", flush=True)
        seed += 1
    print(f"{seed - SEED} lines")
    assert not faults, "\n".join(faults)

"""The closing line of a failed run says in which component, file and line its error arose."""

from __future__ import annotations

from pathlib import Path

import pytest

import runner
import warehouse
from runner.sweep.summary import failure_line
from tests.conftest import Site

BUGS = """
from runner import dataset

def helper():
    return 1 / 0

@dataset(identity=lambda: "one")
def one():
    return helper()

@dataset(identity=lambda: "two")
def two():
    raise KeyError("two")
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("one", "ZeroDivisionError: division by zero, in dataset 'one' (toys.py, line 5)"),
        ("two", "KeyError: 'two', in dataset 'two' (toys.py, line 13)"),
    ],
)
@pytest.mark.many
def test_it_names_the_component_and_the_engine_that_would_have_trained(
    site: Site, results: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    site.install(BUGS)
    outcome = runner.run([f"dataset={name}", f"results={results}"])
    assert failure_line(outcome).endswith(said)
    printed = capsys.readouterr().err
    assert printed.endswith(f"{said}\n") and "Traceback" in printed
    with warehouse.connect(results) as con:
        assert con.execute("SELECT engine, error FROM runs").fetchall() == [
            ("fast", outcome.error)
        ]

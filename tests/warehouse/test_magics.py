"""SQL in the cells of a notebook: `%load_ext warehouse`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.warehouse.conftest import House

shells = pytest.importorskip("IPython.core.interactiveshell")


@pytest.fixture
def shell(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """IPython with the extension loaded, over a warehouse with one run."""
    house.run()
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", str(house.results))
    monkeypatch.setenv("IPYTHONDIR", str(house.results.parent / "ipython"))
    shell = shells.InteractiveShell()
    shell.run_line_magic("load_ext", "warehouse")
    yield shell
    shell.history_manager.end_session()


def test_answers_are_frames_with_the_notebooks_variables(shell: Any) -> None:
    assert shell.run_line_magic("sql", "SELECT count(*) AS n FROM runs").n.tolist() == [1]
    shell.user_ns["wanted"] = ["finished", "failed"]
    query = "SELECT status FROM runs\nWHERE status IN $wanted"
    answer = shell.run_cell_magic("sql", "kept", query)
    assert answer.status.tolist() == ["finished"] and shell.user_ns["kept"] is answer


@pytest.mark.parametrize(
    ("line", "cell", "sentence"),
    [
        (
            "SELECT $leest",
            None,
            r"\$leest is no variable of the notebook: did you mean 'least'",
        ),
        ("FROM nowhere", None, "nowhere does not exist"),
        ("", None, "the query is empty"),
        ("a b", "FROM runs", "'a b' cannot be a variable"),
        ("", "SELECT * FROM read_text('/etc/hostname')", "%sql only reads the warehouse"),
        ("DELETE FROM runs", None, "only reads the warehouse"),
    ],
)
@pytest.mark.many
def test_what_cannot_be_asked_is_one_line(
    shell: Any, line: str, cell: str | None, sentence: str
) -> None:
    from IPython.core.error import UsageError

    shell.user_ns["least"] = 1
    with pytest.raises(UsageError, match=sentence):
        if cell is None:
            shell.run_line_magic("sql", line)
        else:
            shell.run_cell_magic("sql", line, cell)

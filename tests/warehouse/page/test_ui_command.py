"""`python -m warehouse ui` where it cannot serve: one sentence, exit code 2."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.test_boundaries import imported, modules
from tests.warehouse.conftest import ROOT, House
from warehouse.commands import ui


def test_a_port_that_is_taken_is_named(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = house.command("ui", "--port", port, "--no-browser")
    assert done.returncode == 2
    assert port in done.stderr and "--port" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "no.such.host.invalid"], "no address of this machine"),
        (["--port", "70000"], "65535"),
        (["--token", "a b"], "letters, digits"),
        (["--token", ""], "letters, digits"),
    ],
)
def test_a_wrong_word_is_one_sentence(house: House, words: list[str], sentence: str) -> None:
    done = house.command("ui", "--no-browser", "--port", "0", *words)
    if "no.such" in words[-1]:
        done = house.command("ui", "--no-browser", "--token", "x", *words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_without_the_extra_the_pip_line_is_given(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui, "find_spec", lambda name: None)
    done = house.command("ui")
    assert done.returncode == 2
    assert "pip install 'sweephouse[ui]'" in done.stderr


def test_a_newer_warehouse_is_a_sentence(house: House) -> None:
    import duckdb

    house.run()
    house.command("sync")
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute("INSERT INTO migrations VALUES (99, 'later', now()::TIMESTAMP, NULL)")
    done = house.command("ui", "--port", "0", "--no-browser")
    assert done.returncode == 2
    assert "newer Sweephouse" in done.stderr


def test_no_other_command_loads_anything_of_the_page() -> None:
    code = (
        "import sys\n"
        "from warehouse import command_line\n"
        "command_line.parser()\n"
        "import warehouse.snapshot, runner\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'nicegui', 'fastapi', 'uvicorn', 'starlette'}, loaded\n"
        "assert not [name for name in sys.modules if name.startswith('warehouse.page')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_only_the_command_knows_the_page() -> None:
    knows = [
        name
        for name, tree in (modules("warehouse") | modules("runner")).items()
        if not name.startswith("warehouse.page")
        if any(other.startswith("warehouse.page") for other in imported(tree, name))
    ]
    assert knows == ["warehouse.commands.ui"]
    tops = imported(
        modules("warehouse")["warehouse.commands.ui"], "warehouse.commands.ui", everywhere=False
    )
    assert not [name for name in tops if name.startswith("warehouse.page")]

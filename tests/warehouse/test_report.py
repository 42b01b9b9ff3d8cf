"""Reports and figures: what is in them, whatever names hold, and the page in a browser offline."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.journal.ids import new_run_id
from runner.journal.records import Confusion, Evaluation, RunEnd
from tests.warehouse.conftest import ROOT, House, ending, records
from tests.warehouse.test_comparison import SWEEP, params, trained

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = (
    "<svg onload=document.title='hit'>",
    "</script><script>document.title='hit'</script>",
    "a\"b'c`d$e_f*g|h\\i,j\nk",
    "datum.x'] || (document.title='hit') //",
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A sweep of two params and two seeds whose names are as nasty as names get."""
    house = House(tmp_path_factory.mktemp("report") / "results")
    for index, rate in enumerate((0.001, 0.01, 0.1)):
        for seed in (0, 1):
            trained(
                house,
                [1 + rate, 0.5 + rate + seed / 50, 0.6],
                seed=seed,
                sweep_id=SWEEP,
                experiment=HOSTILE[0],
                params=params(
                    seed, **{"optimizer.learning_rate": rate, HOSTILE[1]: HOSTILE[index]}
                ),
            )
    run_id = new_run_id()
    pairs = Confusion(
        run_id=run_id, split="test", classes=[HOSTILE[0], HOSTILE[2]],
        actual=[0, 0, 1], predicted=[0, 1, 1], rows=[5, 1, 7],
    )  # fmt: skip
    house.write([*records(run_id, 3, sweep_id=SWEEP), pairs, *ending(run_id)])
    trained(house, [math.nan, math.nan], sweep_id=SWEEP, status="failed")
    warehouse.sync(house.results)
    return house


def figures_of(page: str) -> dict[str, Any]:
    return dict(json.loads(re.search(r"const figures = (\{.*?\});\n", page, re.S)[1]))  # type: ignore[index]


@pytest.mark.slow
def test_the_page_holds_all_and_asks_nobody(house: House, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    done = house.command("report", "--sweep", SWEEP[-6:], "-o", str(file))
    assert done.returncode == 0, done.stderr
    page = file.read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    for title in ("Runs", "Params and outcome", "What mattered", "Over seeds", "Failures"):
        assert title in titles
    assert any(title.startswith("Curves of") for title in titles)
    assert page.count("<script") == 2, "names ended a script or began one"
    assert "<svg onload" not in page and "default-src 'none'" in page
    specs = figures_of(page)
    assert len(specs) >= 4
    # Every value is in the data; nowhere is one a field or an expression.
    assert all(HOSTILE[3] not in json.dumps({**s, "datasets": 0}) for s in specs.values())
    drawn = page.partition("const figures")[2]
    assert re.search(r"src=|href=", page.partition("<script>")[0]) is None
    assert "</script><script>document" not in drawn


@pytest.mark.slow
def test_markdown_and_the_figures_beside_it(house: House, tmp_path: Path) -> None:
    file, folder = tmp_path / "r.md", tmp_path / "some figures"
    done = house.command("report", "--best", "4", "-o", str(file), "--figures", str(folder))
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert "<svg" not in text and "<script" not in text and "| rank |" in text
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert "some%20figures/curves-loss.png" in pictures
    for picture in pictures:
        png = tmp_path / picture.replace("%20", " ")
        assert png.read_bytes().startswith(b"\x89PNG")
        assert png.with_suffix(".svg").read_text().startswith("<svg")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows[:3]} == {
        len(re.split(r"(?<!\\)\|", rows[0]))
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("curves", "svg"),
        ("scatter", "svg"),
        ("parallel", "svg"),
        ("importance", "svg"),
        ("curves", "png"),
        ("curves", "html"),
        ("parallel", "json"),
    ],
)
def test_one_figure(house: House, tmp_path: Path, kind: str, ending: str) -> None:
    file = tmp_path / f"x.{ending}"
    done = house.command("plot", kind, "--sweep", SWEEP, "-o", str(file), "--metric", "loss")
    assert done.returncode == 0, done.stderr
    content = file.read_bytes()
    heads = {"svg": b"<svg", "png": b"\x89PNG", "html": b"<!doctype", "json": b"{"}
    assert content.startswith(heads[ending])
    if ending != "json":
        assert b"<svg onload" not in content and b"</script><script>document" not in content


def test_confusion_scatter_and_curves_hold_what_was_asked(house: House, tmp_path: Path) -> None:
    with warehouse.connect(house.results) as con:
        [(run_id,)] = con.execute("SELECT DISTINCT run_id FROM confusion").fetchall()
    file = tmp_path / "x.json"
    assert house.command("plot", "confusion", run_id, "-o", str(file)).returncode == 0
    spec = json.loads(file.read_text())
    assert ",5,0.8333" in json.dumps(spec)
    words = ("plot", "scatter", "--sweep", SWEEP, "--x", "optimizer.learning_rate")
    assert house.command(*words, "--y", "val_accuracy", "-o", str(file)).returncode == 0
    spec = json.loads(file.read_text())
    assert spec["encoding"]["x"]["scale"]["type"] == "log"
    assert spec["encoding"]["y"]["title"] == "val_accuracy"
    done = house.command(*words, "--y", "val_acuracy", "-o", str(file))
    assert done.returncode == 2 and "did you mean 'val_accuracy'" in done.stderr
    done = house.command("plot", "curves", "--sweep", SWEEP, "--metric", "lost", "-o", str(file))
    assert done.returncode == 2 and "did you mean 'loss'" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["report"], "choose runs in one way"),
        (["report", "--best", "2", "--sweep", "x"], "choose runs in one way"),
        (["report", "--best", "0"], "--best 0 must lie between"),
        (["report", "--sweep", "nosuch"], "there is no sweep 'nosuch'"),
        (["report", "nosuch"], "there is no run 'nosuch'"),
        (["report", "--query", "nosuch.sql"], "--query nosuch.sql cannot be read"),
        (["report", "--best", "2", "-o", "x.docx"], "has none of the endings .html"),
        (["report", "--best", "2", "-o", "no/such/x.html"], "there is no folder"),
        (["plot", "curves", "--best", "2", "-o", "x.gif"], "has none of the endings .svg"),
    ],
)
def test_bad_words_are_one_sentence(
    house: House, words: list[str], sentence: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    done = house.command(*words)
    assert done.returncode == 2 and sentence in done.stderr
    assert "Traceback" not in done.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_query_chooses_runs_and_does_nothing_else(house: House, tmp_path: Path) -> None:
    file, page = tmp_path / "q.sql", tmp_path / "r.html"
    file.write_text("SELECT run_id FROM leaderboard WHERE rank <= 2")
    done = house.command("report", "--query", str(file), "-o", str(page))
    assert done.returncode == 0, done.stderr
    assert "2 runs" in page.read_text()
    for text, sentence in (
        ("SELECT 1 AS a", "gives no column run_id; it gives a"),
        ("SELECT run_id FROM runs WHERE false", "gives no run"),
        ("nonsense", "does not work"),
        ("COPY runs TO 'x.csv'", "does not work"),
        ("SELECT content AS run_id FROM read_text('/etc/passwd')", "does not work"),
    ):
        file.write_text(text)
        done = house.command("report", "--query", str(file), "-o", str(page))
        assert done.returncode == 2 and sentence in done.stderr, text


def test_nothing_that_is_kept_is_written_over(house: House) -> None:
    kept = house.results / "journals" / "x.html"
    done = house.command("report", "--best", "2", "-o", str(kept))
    assert done.returncode == 2 and "are kept there" in done.stderr and not kept.exists()


@pytest.mark.slow
def test_runs_without_epochs_params_or_metrics(tmp_path: Path) -> None:
    house, file = House(tmp_path / "results"), tmp_path / "r.html"
    done = house.command("report", "--best", "3", "-o", str(file))
    assert done.returncode == 2 and "chooses no run" in done.stderr
    run_id = trained(house, [], params={})
    done = house.command("report", run_id, "-o", str(file))
    assert done.returncode == 0, done.stderr
    for kind in ("curves", "confusion", "importance"):
        done = house.command("plot", kind, run_id, "-o", str(tmp_path / "x.svg"))
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    other = trained(house, [math.nan, math.inf], params={"rate": 0.5})
    for kind in ("curves", "parallel", "scatter"):
        done = house.command("plot", kind, other, run_id, "-o", str(tmp_path / "x.svg"))
        assert done.returncode == 0, (kind, done.stderr)


@pytest.mark.slow
def test_frames_are_what_sql_gives(house: House) -> None:
    frame = warehouse.runs(results=house.results)
    assert len(frame) == 8 and frame["rank"].iloc[0] == 1
    assert frame["optimizer.learning_rate"].dropna().nunique() == 3
    assert {HOSTILE[1], "val_accuracy", "test_loss", "config_hash"} <= set(frame.columns)
    best = frame["run_id"].iloc[0]
    lines = warehouse.curves(best[-8:], results=house.results, form="arrow")
    assert set(lines.column("run_id").to_pylist()) == {best} and lines.num_rows == 12
    answer = warehouse.sql("SELECT $a AS a, $b AS b", results=house.results, a=HOSTILE[2], b=1)
    assert answer.to_dict("records") == [{"a": HOSTILE[2], "b": 1}]
    with pytest.raises(warehouse.WarehouseError, match="form 'excel' is none of"):
        warehouse.runs(results=house.results, form="excel")
    pytest.importorskip("polars")
    assert warehouse.runs(results=house.results, form="polars").shape == frame.shape


def test_no_other_command_imports_what_draws(house: House) -> None:
    code = (
        "import sys; from warehouse.__main__ import main\n"
        f"main(['--results', {str(house.results)!r}, 'runs'])\n"
        "print([m for m in ('altair', 'vl_convert', 'warehouse.report') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.endswith("[]\n"), done.stderr


def test_without_the_extra_the_line_to_install_it_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    done = house.command("plot", "curves", "--best", "1", "-o", str(tmp_path / "x.svg"))
    assert done.returncode == 2 and "pip install 'sweephouse[report]'" in done.stderr


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium without a network."""
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
        browser.close()


@pytest.mark.slow
def test_the_page_draws_offline_sorts_and_brushes(
    house: House, tmp_path: Path, browser: Any
) -> None:
    file = tmp_path / "r.html"
    assert house.command("report", "--sweep", SWEEP, "-o", str(file)).returncode == 0
    page, requests, errors = browser.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    figures = page.locator(".figure").count()
    page.wait_for_function(
        f"document.querySelectorAll('.figure svg.marks').length === {figures}", timeout=30_000
    )
    assert errors == [] and requests == [file.as_uri()]
    assert HOSTILE[0] in page.title() and "hit" not in page.title().replace(HOSTILE[0], "")

    head = page.locator("th", has_text=re.compile("^best$")).first
    head.click()
    head.click()
    place = head.evaluate("node => node.cellIndex")
    values = page.locator(
        f"table >> nth=0 >> tbody tr td:nth-child({place + 1})"
    ).all_inner_texts()
    numbers = [float(text) for text in values if text]
    assert numbers == sorted(numbers, reverse=True) and values[-1] == ""

    # The upper part of an axis is dragged over: the lines that go elsewhere fade.
    figure = page.locator(".figure", has_text="Params and outcome").locator("svg.marks")
    figure.scroll_into_view_if_needed()
    lines = figure.locator("g.mark-line path")
    faded = "lines => lines.map(line => Number(line.getAttribute('opacity') ?? 1) < 0.1)"
    assert lines.count() == 8 and not any(lines.evaluate_all(faded))
    name = figure.get_by_text("optimizer.learning_rate", exact=True).first.bounding_box()
    box, middle = figure.bounding_box(), name["x"] + name["width"] / 2
    page.mouse.move(middle - 25, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(middle + 25, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    assert 0 < sum(lines.evaluate_all(faded)) < 8
    page.hover("svg.marks >> nth=0")
    assert "hit" not in page.title().replace(HOSTILE[0], "")


@pytest.mark.slow
def test_fifty_runs_of_a_hundred_epochs_are_below_three_megabytes(tmp_path: Path) -> None:
    house, file = House(tmp_path / "results"), tmp_path / "r.html"
    for index in range(50):
        house.run(epochs=100, sweep_id=SWEEP, seed=index % 5, params=params(index % 5, rate=index))
    assert house.command("report", "--sweep", SWEEP, "-o", str(file)).returncode == 0
    assert file.stat().st_size < 3_000_000


@pytest.mark.slow
def test_a_thousand_metrics_and_params_in_one_run(tmp_path: Path) -> None:
    house, file = House(tmp_path / "results"), tmp_path / "r.html"
    many = {f"m{index}": index / 7 for index in range(1000)}
    for factor in (1, 2):
        run_id = new_run_id()
        written = records(run_id, 2, params={k: v * factor for k, v in many.items()})
        written[2] = dataclasses.replace(written[2], metrics={"train": many, "val": many})  # type: ignore[type-var]
        house.write([*written, Evaluation(run_id, "test", many), RunEnd.finished(run_id, 1.0, 2)])
    done = house.command("report", "--best", "2", "-o", str(file))
    assert done.returncode == 0, done.stderr
    page = file.read_text()
    assert "The first 24 of 500 metrics" in page and len(page) < 3_000_000
    assert warehouse.runs(results=house.results).shape[1] < 1100

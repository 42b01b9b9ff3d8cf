"""The page in a browser: looked at, clicked, filtered, and watched while a run trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import RunEnd, SystemUsage
from tests.warehouse.conftest import House, ending, records
from tests.warehouse.page.conftest import NARROW, Visitor
from warehouse.page import views

EVIL = "<svg onload=alert(1)><img src=x onerror=alert(2)>\"'`${alert(3)}"
SHOWN = "sweephouse.state.api.getDisplayedRowCount()"
SERIES = (
    "(getElement(document.querySelector('.sh-curves').id.slice(1)).chart.getOption().series || [])"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Twelve runs of a sweep, one with a hostile name, one failed, one without an epoch."""
    house = House(tmp_path_factory.mktemp("page") / "results")
    for number in range(12):
        house.run(
            epochs=6,
            run_id=new_run_id(),
            started_at=f"2026-11-01T10:00:{number:02}.000000+00:00",
            sweep_id="sweep-one",
            params={
                "optimizer.learning_rate": 10.0 ** -(1 + number % 3),
                "architecture.width": float(16 * (1 + number % 2)),
                "seed": float(number % 4),
            },
        )
    house.run(
        epochs=2,
        experiment=EVIL,
        params={EVIL: EVIL, ":x": "alert(4)", "architecture.width": 8.0},
    )
    house.run(epochs=0)
    failed = new_run_id()
    end = RunEnd(
        run_id=failed,
        ended_at="2026-11-01T10:00:09.000000+00:00",
        status="failed",
        seconds=1.0,
        epochs=1,
        best_epoch=1,
        error="the loss is NaN",
        traceback="Traceback (most recent call last):\nValueError: the loss is NaN",
    )
    used = SystemUsage(failed, 1, [1.0], [3], [0.9], [10**8], [None], [10**9], [None], [None])
    house.write([*records(failed, 1, sweep_id="sweep-one"), used, end])
    return house


@pytest.fixture(scope="module")
def address(serve: Callable[[House], str], house: House) -> str:
    """Where they are shown."""
    return serve(house)


@pytest.fixture
def visitor(visit: Callable[..., Visitor], address: str) -> Visitor:
    """Somebody at a desk."""
    return visit(address)


def test_the_page_shows_every_run_and_asks_no_other_host(visitor: Visitor) -> None:
    page = visitor.open()
    assert page.evaluate(SHOWN) == 15
    assert "15 runs" in page.inner_text(".sh-count")
    visitor.until(f"{SERIES}.length > 2")
    assert visitor.elsewhere() == []
    assert visitor.complaints == []


def choose(page: Any, count: int) -> list[str]:
    """The first runs of the grid, by their boxes."""
    boxes = page.locator(".sh-grid .ag-pinned-left-cols-container .ag-selection-checkbox input")
    for place in range(count):
        boxes.nth(place).click()
    page.wait_for_function("new URLSearchParams(location.search).get('runs')")
    ids = "sweephouse.state.api.getSelectedNodes().map(node => node.data.c0)"
    return list(page.evaluate(ids))


@pytest.mark.slow
class TestRuns:
    def test_search_filter_and_status_narrow_the_grid(self, visitor: Visitor) -> None:
        page = visitor.open("/?cols=status,experiment,best,param:architecture.width")
        page.keyboard.press("/")
        page.keyboard.type("svg")
        visitor.until(f"{SHOWN} === 1")
        page.keyboard.press("Escape")
        visitor.until(f"{SHOWN} === 15")
        page.click(".sh-chip[data-status=failed]")
        visitor.until(f"{SHOWN} === 1")
        assert "status=failed" in page.url
        page.click(".sh-chip[data-status=failed]")
        model = {
            "param:architecture.width": {"filterType": "number", "type": "equals", "filter": 16}
        }
        page.evaluate("model => sweephouse.state.api.setFilterModel(model)", model)
        visitor.until(f"{SHOWN} === 6")

    def test_an_address_brings_the_same_view_to_somebody_else(
        self, visitor: Visitor, visit: Callable[..., Visitor], address: str
    ) -> None:
        page = visitor.open("/?status=finished&cols=status,best")
        chosen = choose(page, 3)
        page.locator(".sh-grid .ag-header-cell[col-id=best]").click()
        page.wait_for_function("location.search.includes('sort')")
        other = visit(address)
        other.open("/" + "?" + page.url.partition("?")[2])
        ids = "sweephouse.state.api.getSelectedNodes().map(node => node.data.c0)"
        assert set(other.page.evaluate(ids)) == set(chosen)
        first = "sweephouse.state.api.getDisplayedRowAtIndex(0).data.c0"
        assert other.page.evaluate(first) == page.evaluate(first)
        other.until(f"{SERIES}.length === 3")

    def test_a_column_is_chosen_and_names_are_text(self, visitor: Visitor) -> None:
        page = visitor.open("/?cols=experiment,param:%253Ax")
        assert page.evaluate("sweephouse.state.columns") == ["experiment", "param::x"]
        page.get_by_role("button", name="Columns").click()
        page.get_by_role("button", name="As at first").click()
        visitor.until("sweephouse.state.columns.length > 5")
        assert visitor.complaints == []

    def test_what_is_shown_comes_as_csv(self, visitor: Visitor, tmp_path: Path) -> None:
        page = visitor.open("/?cols=status,best&status=failed")
        with page.expect_download() as caught:
            page.get_by_role("button", name="CSV").click()
        caught.value.save_as(tmp_path / "runs.csv")
        [_, row] = (tmp_path / "runs.csv").read_text().splitlines()
        assert "failed" in row

    def test_a_view_is_saved_for_everybody_and_forgotten(
        self, visitor: Visitor, house: House
    ) -> None:
        page = visitor.open("/?cols=status&metric=accuracy&split=train")
        page.get_by_role("button", name="Views").click()
        page.get_by_label("save this view as").fill("<i>mine</i>")
        page.get_by_role("button", name="Save").click()
        page.wait_for_selector("text=<i>mine</i>")
        assert views.saved(house.results)["<i>mine</i>"].startswith("/?cols=status")
        page.get_by_text("<i>mine</i>").click()
        page.wait_for_url("**/?cols=status*")
        assert "metric=accuracy" in page.url
        page.get_by_role("button", name="Views").click()
        page.locator(".q-menu .q-btn").first.click()
        page.wait_for_function("!document.body.innerText.includes('<i>mine</i>')")
        assert views.saved(house.results) == {}

    def test_dark_is_remembered(self, visitor: Visitor) -> None:
        page = visitor.open()
        page.get_by_role("button", name="dark or light").click()
        dark = "document.body.classList.contains('body--dark')"
        visitor.until(dark)
        visitor.open("/sql", ready="sql")
        visitor.until(dark)
        visitor.open("/?theme=light")
        visitor.until(f"!{dark}")

    def test_grouped_curves_have_a_band_for_each_value(self, visitor: Visitor) -> None:
        page = visitor.open("/?group=architecture.width&split=both")
        choose(page, 8)
        visitor.until(f"{SERIES}.some(each => /architecture.width=32.0 /.test(each.name))")
        assert visitor.complaints == []

    @pytest.mark.exhaustive
    def test_runs_are_tagged_and_deleted_together(self, visitor: Visitor, house: House) -> None:
        victim = house.run(epochs=1, started_at="2026-12-01T00:00:00.000000+00:00")
        page = visitor.open()
        visitor.until(f"sweephouse.state.api.getRowNode('{victim}') !== undefined")
        page.evaluate(f"sweephouse.state.api.getRowNode('{victim}').setSelected(true)")
        page.wait_for_function("location.search.includes('runs=')")
        button = page.get_by_role("button", name="Tag", exact=True)
        button.click()
        page.get_by_label("the tag").fill("best <b>of</b> all")
        page.get_by_role("dialog").get_by_role("button", name="Tag").click()
        node = f"sweephouse.state.api.getRowNode('{victim}')"
        field = "'c' + (sweephouse.state.columns.indexOf('tags') + 1)"
        visitor.until(f"{node}?.data[{field}] === 'best <b>of</b> all'")
        page.get_by_role("button", name="Alias", exact=True).click()
        page.get_by_label("the alias").fill("@production")
        page.get_by_role("dialog").get_by_role("button", name="Name").click()
        visitor.until(f"{node}?.data[{field}] === '@production, best <b>of</b> all'")
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        visitor.until(f"{node} === undefined")
        assert victim in house.command("runs", "--deleted", "--format", "csv").stdout

    def test_a_brush_on_an_axis_filters_the_grid(self, visitor: Visitor) -> None:
        page = visitor.open("/?tab=params&axes=param:architecture.width,param:seed")
        chart = "getElement(document.querySelector('.sh-params').id.slice(1)).chart"
        visitor.until(f"({chart}.getOption()?.series || []).length === 1")
        area = page.locator(".sh-params").bounding_box()
        page.locator(".sh-params").scroll_into_view_if_needed()
        area = page.locator(".sh-params").bounding_box()
        x, y = area["x"] + 56, area["y"]
        page.mouse.move(x, y + area["height"] * 0.55)
        page.mouse.down()
        page.mouse.move(x, y + area["height"] * 0.8, steps=5)
        page.mouse.move(x, y + area["height"] - 30, steps=5)
        page.mouse.up()
        visitor.until(f"{SHOWN} < 15 && {SHOWN} > 0")

    @pytest.mark.parametrize("chart", ["scatter", "heat", "importance"])
    def test_params_are_held_against_an_outcome(self, visitor: Visitor, chart: str) -> None:
        page = visitor.open(
            f"/?tab=params&chart={chart}&px=param:architecture.width&py=param:seed"
        )
        page.wait_for_timeout(700)
        assert visitor.complaints == []

    def test_the_keyboard_is_enough(self, visitor: Visitor) -> None:
        page = visitor.open()
        for key in ("j", "x", "j", "x"):
            page.keyboard.press(key)
        page.wait_for_function(
            "(location.search.match(/runs=([^&]*)/)?.[1] || '').includes('%2C')"
        )
        page.keyboard.press("c")
        page.wait_for_url("**/compare?runs=*")
        page.wait_for_selector("text=Outcomes")


@pytest.mark.slow
def test_a_run_that_trains_moves_on_the_page_within_two_seconds(
    visitor: Visitor, house: House
) -> None:
    run_id = new_run_id()
    written = records(run_id, 5, started_at="2026-12-02T00:00:00.000000+00:00")
    with Journal(house.journals, run_id) as journal:
        for record in written[:3]:
            journal.append(record)
        page = visitor.open("/?cols=status,epochs")
        node = f"sweephouse.state.api.getRowNode('{run_id}')"
        visitor.until(f"{node}?.data.c1 === 'running'")
        page.evaluate(f"{node}.setSelected(true)")
        for epoch, record in enumerate(written[3:5], 3):
            time.sleep(1.0)
            journal.append(record)
            # Two on a machine that is free; here others test, too.
            assert visitor.until(f"{node}.data.c2 === {epoch}") < 6.0
            visitor.until(f"{SERIES}.some(each => each.data.length === {epoch})")
        for record in [written[5], *ending(run_id, 5)]:
            journal.append(record)
        journal.finish()
    visitor.until(f"{node}.data.c1 === 'finished'")


@pytest.mark.slow
class TestOtherPages:
    def test_a_run_is_followed_by_its_link(self, visitor: Visitor) -> None:
        page = visitor.open("/?cols=status&status=failed")
        page.locator(".sh-grid a").first.click()
        page.wait_for_url("**/run/*")
        page.wait_for_selector("text=ValueError: the loss is NaN")
        assert "optimizer.learning_rate" in page.inner_text("main")
        assert "python -m runner replay" in page.inner_text("main")
        assert "Memory of the process, in which 3 runs trained" in page.inner_text("main")
        assert "busiest GPU" not in page.inner_text("main")

    def test_a_hostile_name_is_text_everywhere(self, visitor: Visitor) -> None:
        evil = quote(EVIL, safe="")
        page = visitor.open(f"/?q=svg&group={evil}&cols=experiment,param:{quote(evil)}")
        run_id = page.evaluate("sweephouse.state.api.getDisplayedRowAtIndex(0).data.c0")
        page.evaluate(f"sweephouse.state.api.getRowNode('{run_id}').setSelected(true)")
        visitor.until(f"{SERIES}.some(each => (each.name || '').includes('onload'))")
        page.locator(".sh-curves").hover()  # its tooltip is HTML
        visitor.until("document.body.innerText.includes('onload=alert')")
        visitor.open(f"/?tab=params&axes=param:{quote(evil)}", ready="")
        page.wait_for_timeout(700)
        for path in (f"/run/{run_id}", f"/compare?runs={run_id},{run_id[:3]}", "/run/%3Csvg%3E"):
            visitor.open(path, ready="")
            page.wait_for_timeout(700)
        visitor.open("/sql?query=FROM%20params%20ORDER%20BY%20name", ready="sql")
        page.get_by_role("button", name="Run").click()
        page.wait_for_selector(".sh-answer .ag-row")
        page.get_by_text("bar", exact=True).click()
        page.wait_for_timeout(500)
        assert page.locator("svg[onload]").count() == 0
        assert visitor.complaints == []

    def test_a_run_without_an_epoch_has_a_page(self, visitor: Visitor) -> None:
        page = visitor.open("/?cols=epochs")
        rows = "sweephouse.state.api.getRenderedNodes().map(node => node.data)"
        [run_id] = [row["c0"] for row in page.evaluate(rows) if not row["c1"]]
        visitor.open(f"/run/{run_id[-8:]}", ready="")
        page.wait_for_selector("text=Use it again")
        assert "1 of 1 runs have none of it" in page.inner_text("main")
        assert visitor.complaints == []

    def test_runs_are_compared(self, visitor: Visitor) -> None:
        page = visitor.open("/?cols=status&sort=&status=finished")
        ids = page.evaluate(
            "[0,1,2].map(i => sweephouse.state.api.getDisplayedRowAtIndex(i).data.c0)"
        )
        visitor.open("/compare?runs=" + ",".join(ids), ready="")
        page.wait_for_selector("text=Outcomes")
        words = page.inner_text("main")
        assert "best val loss" in words and ids[0][-8:] in words

    def test_a_sweep_says_how_far_it_is_and_why_runs_failed(self, visitor: Visitor) -> None:
        page = visitor.open("/sweep/sweep-one", ready="")
        page.wait_for_selector("text=Failures by reason")
        words = page.inner_text("main")
        assert "12 finished" in words and "the loss is NaN" in words
        visitor.open("/sweeps", ready="")
        page.locator(".sh-table a").first.click()
        page.wait_for_url("**/sweep/*")

    def test_sql_is_completed_asked_and_downloaded(self, visitor: Visitor, tmp_path: Path) -> None:
        page = visitor.open("/sql", ready="sql")
        editor = page.locator(".cm-content")
        editor.click()
        page.keyboard.press("Control+A")
        page.keyboard.type("SELECT run_id, best_ep")
        page.wait_for_selector(".cm-tooltip-autocomplete >> text=best_epoch")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+A")
        page.keyboard.type("SELECT epoch, avg(loss) AS mean_loss FROM epochs GROUP BY epoch ")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".sh-answer .ag-row")
        page.get_by_text("line", exact=True).click()
        for name in ("CSV", "Parquet"):
            with page.expect_download() as caught:
                page.get_by_role("button", name=name).click()
            caught.value.save_as(tmp_path / name)
        assert (tmp_path / "CSV").read_text().startswith("epoch,mean_loss")
        import duckdb

        rows = duckdb.sql(f"FROM read_parquet('{tmp_path / 'Parquet'}')").fetchall()
        assert len(rows) == 6

    def test_sql_that_writes_is_refused_in_a_sentence(self, visitor: Visitor) -> None:
        page = visitor.open("/sql?query=COPY%20runs%20TO%20'x.csv'", ready="sql")
        page.get_by_role("button", name="Run").click()
        page.wait_for_selector("text=this page only reads")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/?tab=params", "/sql", "/sweep/sweep-one"])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_telephone(
    visit: Callable[..., Visitor], address: str, path: str, dark: bool
) -> None:
    visitor = visit(address, NARROW, dark)
    page = visitor.open(path, ready="")
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    assert page.evaluate("document.body.classList.contains('body--dark')") is dark
    assert visitor.complaints == []


@pytest.mark.slow
def test_an_empty_warehouse_gives_the_first_command_and_then_the_run(
    serve: Callable[[House], str], visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    house = House(tmp_path / "results")
    visitor = visit(serve(house))
    page = visitor.open(ready="")
    page.wait_for_selector("text=python -m runner")
    for path in ("/sweeps", "/sql", "/compare", "/run/x", "/sweep/x"):
        visitor.open(path, ready="")
        page.wait_for_timeout(300)
    visitor.open(ready="")
    page.wait_for_timeout(500)
    house.run()
    visitor.until("document.body?.dataset.ready === 'grid'", 15)
    assert visitor.complaints == []


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_thousand_metrics_and_names_of_any_kind(
    serve: Callable[[House], str], visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    house = House(tmp_path / "results")
    metrics = {f"m{number} 'x' \"y\" /z": float(number) for number in range(1000)}
    run_id = new_run_id()
    start, *epochs = records(run_id, 3)
    for record in epochs:
        record.metrics["val"] = metrics  # type: ignore[attr-defined]
    house.write([start, *epochs, *ending(run_id)])
    visitor = visit(serve(house))
    page = visitor.open("/?metric=m7+'x'+\"y\"+/z&cols=metric:val%20m7%20'x'%20\"y\"%20/z")
    visitor.until(f"{SERIES}.length === 1")
    assert page.evaluate("sweephouse.state.api.getDisplayedRowAtIndex(0).data.c1") == 7
    visitor.open(f"/run/{run_id}", ready="")
    page.wait_for_selector("text=the first 500 of")
    assert visitor.complaints == []

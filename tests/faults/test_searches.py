"""Searches as processes: stopped anywhere they go on as if they had not been."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import House, until
from tests.faults.engine import FAIL
from tests.faults.nursery import PACK, STEADY, Nursery

SEARCH = ["-m", "hydra/sweeper=search", "search.sampler=listening", "search.batch=4"]
SPACE = ["seed=interval(1,100000)", "epochs=range(2,6)"]
ASKED = "SELECT number, batch, params, slot, mean FROM trials ORDER BY number"


@pytest.fixture
def houses(tmp_path: Path, light: Nursery) -> Any:
    """Makes results folders that do not know each other."""

    def make(name: str) -> House:
        (tmp_path / name).mkdir()
        return House(tmp_path / name, light)

    return make


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(houses: Any) -> None:
    words = [*SEARCH, *SPACE, "search.batch=3", "search.trials=6"]
    whole, torn = houses("whole"), houses("torn")
    assert (done := whole.run(*words)).wait() == 0, done.said
    for moment in (("suggestions", 1), ("run_end", 4)):
        assert torn.run(*words, die=moment).wait() == -signal.SIGKILL
    assert (done := torn.run(*words)).wait() == 0, done.said
    assert len(whole.rows(ASKED)) == 6
    assert torn.rows(ASKED) == whole.rows(ASKED)
    torn.check()
    assert torn.rows("SELECT count(DISTINCT search_id), count(*) FROM searches") == [(1, 3)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_search_tells_what_it_tried_and_goes_on_where_more_is_asked_for(house: House) -> None:
    words = [*SEARCH, "epochs=range(2,6)", "optimizer.learning_rate=interval(0.1,0.9)", "seed=5"]
    first = house.run(*words, "search.trials=8", "search.confirm=2", *PACK)
    assert first.wait() == 0, first.said
    assert "trial 4 of 8: best val_loss " in first.said
    assert "trial 8 of 8: best val_loss " in first.said
    # Three more seeds of the two best, which differ in their rate alone.
    assert house.rows("SELECT seeds, usable FROM confirmed") == [(4, 4), (4, 4)]
    [(search, _, params)] = house.rows(
        "SELECT search_id, metric, params FROM trials "
        "WHERE number = (SELECT number FROM confirmed WHERE place = 1)"
    )
    assert "train it  python -m runner seed=5 engine=" in first.said
    rate = json.loads(params)["optimizer.learning_rate"]
    assert f"optimizer.learning_rate={rate}" in first.said.split("train it")[1]

    again = house.run(*words, "search.trials=8", "search.confirm=2", *PACK)
    assert again.wait() == 0, again.said
    assert "the search has its 8 trials already: give search.trials=12 to go on" in again.said
    less = house.run(*words, "search.trials=7", *PACK)
    assert less.wait() == 2, less.said
    assert "error: search.trials=7 is less than the 8 trials that the search has" in less.said
    more = house.run(*words, "search.trials=9", "search.confirm=0", *PACK)
    assert more.wait() == 0, more.said
    assert [number for number, *_ in house.rows(ASKED)] == list(range(1, 10))

    explained = house.run("search", "explain", search[:6])
    assert explained.wait() == 0, explained.said
    assert f"search {search}: 9 trials by listening, val_loss" in explained.said
    assert "blind" in explained.said and "heard" in explained.said
    assert "foretold  5 trials, correlation" in explained.said


@pytest.mark.slow
@pytest.mark.exhaustive
def test_failures_are_the_worst_and_end_no_search_unless_they_are_too_many(house: House) -> None:
    space = ["seed=1,2,3", "optimizer.learning_rate=interval(0.1,0.9)"]
    words = [*SEARCH, *space, "epochs=4", "search.trials=8", "search.confirm=0"]
    search = house.run(*words, env={FAIL: "2"})
    assert search.wait() == 1, search.said
    rows = house.rows("SELECT status, params, came FROM trials ORDER BY number")
    assert len(rows) == 8
    failed = [came for status, params, came in rows if status == "failed"]
    assert 0 < len(failed) < 8 and all(
        '"seed":2' in params for s, params, _ in rows if s == "failed"
    )
    assert "best      of 8 trials by val_loss (min):" in search.said


@pytest.mark.slow
def test_a_search_ends_kindly_at_its_limits_and_goes_on(house: House) -> None:
    words = [*SEARCH, *SPACE, "search.trials=4", "search.confirm=0"]
    search = house.run(*words, "sweep.max_seconds=0.01")
    assert search.wait() == 3, search.said
    assert "sweep.max_seconds=0.01 is reached; the same command goes on" in search.said
    assert house.rows("SELECT status, count(*) FROM trials GROUP BY status") == [(None, 4)]
    asked = house.rows(ASKED)
    assert (search := house.run(*words)).wait() == 0, search.said
    assert house.rows("SELECT DISTINCT status FROM trials") == [("finished",)]
    assert house.rows(ASKED) == asked


@pytest.mark.slow
def test_a_sampler_that_raises_ends_the_search_and_keeps_it(house: House) -> None:
    words = [*SEARCH[:2], *SPACE, "search.batch=4", "search.trials=40"]
    sampler = "search.sampler={name: listening, fail_after: 4}"
    search = house.run(*words, sampler)
    assert search.wait() == 1, search.said
    sentence = (
        "error: the sampler 'listening' has ended the search: ValueError: nothing comes to mind; "
        "its 4 trials are kept"
    )
    assert sentence in search.said
    assert "raise ValueError" in search.said, "it is a bug of the sampler's"
    assert "best      of 4 trials by val_loss (min):" in search.said
    assert house.rows("SELECT count(*) FROM trials") == [(4,)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_signal_stops_a_search_and_the_same_command_goes_on(house: House) -> None:
    words = [*SEARCH, "seed=interval(1,100000)", "epochs=400", "search.trials=6", *PACK]
    search = house.start(*words, pause=0.005)
    until(lambda: house.epochs(3) >= 4, "no third epoch:", lambda: search.said)
    search.kill(signal.SIGINT)
    assert search.wait() == 130
    assert house.rows("SELECT status, reason, came FROM trials") == [("stopped", "user", None)] * 4
    assert (more := house.run(*words)).wait() == 0, more.said
    assert house.rows("SELECT DISTINCT status FROM trials") == [("finished",)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_other_tasks_are_told_of_as_they_were_when_the_search_began(house: House) -> None:
    space = ["seed=interval(1,100000)", "epochs=range(2,6)"]
    past = [*SEARCH, *space, "search.trials=8", "dataset.rows=64"]
    assert (done := house.run(*past)).wait() == 0, done.said
    words = [*SEARCH, *space, "search.trials=8"]
    assert house.run(*words, die=("run_end", 3)).wait() == -signal.SIGKILL
    # A run of another task that ends later teaches the same search nothing.
    other = ["dataset=steady", "dataset.rows=96", "seed=range(1,7)", STEADY[0]]
    assert (done := house.run("-m", *other)).wait() == 0, done.said
    assert (done := house.run(*words)).wait() == 0, done.said
    told = house.rows(
        "SELECT t.prior FROM trials AS t JOIN searches AS s USING (search_id) "
        "GROUP BY t.prior, t.search_id ORDER BY t.prior"
    )
    assert told == [(0.0,), (1.0,)]


WRONG = {
    "nothing varies": (["seed=1"], "nothing to vary"),
    "no such sampler": (
        [*SPACE, "search.sampler=listenin"],
        "no sampler 'listenin' .*did you mean 'listening'",
    ),
    "two objectives": (
        [*SPACE, "search.objectives=[val_loss,seconds]"],
        "search.sampler=listening betters one objective, and search.objectives names 2",
    ),
    "an odd bound": ([*SPACE, "search.require=parameters"], "search.require=.parameters. is not"),
    "no warehouse": ([*SPACE, "search.history=nowhere"], "nowhere is not valid: no warehouse"),
    "bounds": (["optimizer.learning_rate=interval(1,0.1)"], "optimizer.learning_rate"),
    "several searches": ([*SPACE, "search.trials=3,4"], "search.trials=3,4 is not valid"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(house: House, what: str) -> None:

    words, sentence = WRONG[what]
    search = house.run(*SEARCH, *words)
    assert search.wait() == 2, search.said
    lines = [line for line in search.said.splitlines() if line]
    assert len(lines) == 1 and re.search(sentence, lines[0]), search.said


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_metric_that_no_run_has_is_named_with_those_there_are(house: House) -> None:
    search = house.run(*SEARCH, *SPACE, "search.objectives=[val_acuracy]")
    assert search.wait() == 1, search.said
    sentence = "error: search.objectives names 'val_acuracy', which no run has: did you mean"
    assert f"{sentence} 'val_accuracy'?" in search.said


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_maximised_metric_is_maximised(house: House) -> None:
    words = ["search.objectives=[val.accuracy]", "search.trials=4"]
    search = house.run(*SEARCH, *SPACE, *words)
    assert search.wait() == 0, search.said
    [(best,)] = house.rows("SELECT max(value) FROM trials")
    assert house.rows("SELECT best_so_far FROM trials WHERE number = 4") == [(best,)]
    assert f"        1 {best:<10.4g}" in search.said

"""Comparison in SQL, against the same numbers by pandas and scipy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import warehouse
from runner.config.settings import NAMES, OF_OUTCOME
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd
from tests.warehouse.conftest import House, ending, records
from warehouse.database import sql_of

Ask = Callable[..., list[tuple[Any, ...]]]
SWEEP = "01900000-aaaa-7000-8000-000000000001"


def trained(house: House, losses: Sequence[float], status: str = "finished", **start: Any) -> str:
    """A run with these validation losses, epoch by epoch; training is 0.1 better each time."""
    run_id = new_run_id()
    written = []
    for record in records(run_id, len(losses), **start):
        if isinstance(record, EpochEnd):
            value = losses[record.epoch - 1]
            record = dataclasses.replace(
                record,
                loss=value - 0.1,
                val_loss=value,
                metrics={"train": {"accuracy": 1.0}, "val": {"accuracy": record.epoch / 10}},
            )
        written.append(record)
    finite = [loss for loss in losses if not math.isnan(loss)]
    best = losses.index(min(finite)) + 1 if finite else None
    house.write(written + ending(run_id, len(losses), status=status, best_epoch=best))
    return run_id


def params(seed: int, **others: float | str) -> dict[str, Any]:
    return {"seed": float(seed), **others}


def grid(house: House) -> Any:
    """A sweep of two params and three seeds, noisy; and its numbers as a frame."""
    import pandas as pd

    rows = []
    for rate in (0.001, 0.01, 0.1):
        for units in ("[32]", "[64]"):
            for seed in range(3):
                value = 1 + math.log10(rate) ** 2 / 4 + 0.05 * len(rows) ** 0.5 * (seed - 1)
                run_id = trained(
                    house,
                    [value + 1, value, value + 0.5],
                    seed=seed,
                    sweep_id=SWEEP,
                    params=params(seed, **{"optimizer.learning_rate": rate, "units": units}),
                )
                rows.append((run_id, rate, units, seed, value))
    return pd.DataFrame(rows, columns=["run_id", "rate", "units", "seed", "value"])


def test_seeds_are_those_of_pandas_and_scipy(house: House, rows: Ask) -> None:
    from scipy import stats

    frame = grid(house)
    groups = frame.groupby(["rate", "units"]).value
    expected = sorted(
        (group.mean(), group.std(), *stats.t.interval(0.95, 2, group.mean(), group.sem()))
        for _, group in groups
    )
    query = "SELECT mean, deviation, low, high FROM seeds(sweep := $1)"
    actual = rows(house, query, SWEEP)
    assert [pytest.approx(row, rel=1e-8) for row in expected] == actual
    counts = rows(house, "SELECT seeds, usable, seed_list, metric FROM seeds")
    assert counts == [(3, 3, [0, 1, 2], "val_loss")] * 6
    # Of another metric, whose every run came to the same at its best epoch.
    accuracies = rows(
        house, "SELECT mean, deviation FROM seeds(metric := 'val_accuracy', sweep := $1)", SWEEP
    )
    assert accuracies == [(pytest.approx(0.2), pytest.approx(0.0))] * 6
    assert rows(house, "FROM seeds(metric := 'nosuch') WHERE usable > 0") == []


def test_a_seed_counts_once_and_only_what_ended_well_has_a_value(house: House, rows: Ask) -> None:
    def run(seed: int, *losses: float, **more: Any) -> None:
        trained(house, losses, seed=seed, params=params(seed, rate=0.1), **more)

    run(1, 5.0)
    run(1, 1.0)
    run(2, 3.0)
    run(3, math.nan)
    run(4, math.inf, status="failed")
    run(5, 0.5, status="failed")
    query = "SELECT seeds, usable, mean, deviation, min, max FROM seeds"
    assert rows(house, query) == [(5, 2, 2.0, pytest.approx(math.sqrt(2)), 1.0, 3.0)]


def test_one_seed_has_no_interval_and_huge_losses_are_no_error(house: House, rows: Ask) -> None:
    for seed, loss in enumerate((1e300, 1e308, 1.0)):
        trained(house, [loss], seed=seed, params=params(seed, rate=0.1))
    trained(house, [2.0], params=params(0, rate=0.2))
    assert rows(house, "SELECT usable, deviation, low FROM seeds ORDER BY 1") == [
        (1, None, None),
        (3, None, None),
    ]
    assert rows(house, "SELECT count(*) FROM sweep_effects(NULL)") == [(2,)]


@pytest.mark.many
@pytest.mark.parametrize("freedom", [1, 2, 9, 30, 31, 45, 1000])
def test_the_t_quantile_is_scipys(house: House, rows: Ask, freedom: int) -> None:
    from scipy import stats

    [(value,)] = rows(house, "SELECT t_95($1)", freedom)
    assert value == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


@pytest.mark.slow
def test_effects_are_those_of_an_analysis_of_variance(house: House, rows: Ask) -> None:
    frame = grid(house)
    total = ((frame.value - frame.value.mean()) ** 2).sum()
    ranks = frame.value.rank()

    def explained(name: str, values: Any) -> float:
        means = values.groupby(frame[name]).transform("mean")
        return float(((means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum())

    query = (
        "SELECT param, share, rank_share, effect, levels, runs, fewest, binned, share_by_chance "
        "FROM sweep_effects($1)"
    )
    effects = {row[0]: row[1:] for row in rows(house, query, SWEEP)}
    assert total > 0 and next(iter(effects)) == "optimizer.learning_rate"
    for param, name in (
        ("optimizer.learning_rate", "rate"),
        ("units", "units"),
        ("seed", "seed"),
    ):
        share, levels = explained(name, frame.value), frame[name].nunique()
        adjusted = max(0.0, 1 - (1 - share) * 17 / (18 - levels))
        assert effects[param] == (
            pytest.approx(share),
            pytest.approx(explained(name, ranks)),
            pytest.approx(adjusted),
            levels,
            18,
            18 // levels,
            False,
            pytest.approx((levels - 1) / 17),
        )
    best = rows(house, "SELECT best_level FROM sweep_effects($1) LIMIT 1", SWEEP)
    assert best == [("0.1",)]


@pytest.mark.slow
def test_numbers_with_many_values_go_into_bins_and_equal_ones_stay_together(
    house: House, rows: Ask
) -> None:
    for index in range(40):
        rate = 0.001 * (1 + index) if index % 4 else 0.5
        trained(house, [rate], sweep_id=SWEEP, params={"rate": rate, "same": "x"})
    levels = rows(house, "SELECT level, runs, binned FROM sweep_levels($1)", SWEEP)
    assert sum(runs for _, runs, _ in levels) == 40 and all(binned for *_, binned in levels)
    assert 2 <= len(levels) <= 8 and levels[-1][1] >= 10 and levels[-1][0].endswith("0.5")
    [(param, binned, share)] = rows(
        house, "SELECT param, binned, share FROM sweep_effects($1)", SWEEP
    )
    assert (param, binned) == ("rate", True) and 0.9 < share < 1


def test_best_is_that_of_the_best_epoch_with_ties_and_nan(house: House, rows: Ask) -> None:
    nan = math.nan
    first = trained(house, [nan, 0.5, 0.3, 0.3, nan])
    tied = trained(house, [0.3, 0.4])
    worse = trained(house, [math.inf, 0.6])
    never = trained(house, [nan, nan])
    query = "SELECT rank, run_id, best, best_epoch FROM leaderboard ORDER BY run_id"
    assert rows(house, query) == [
        (1, first, 0.3, 3),
        (1, tied, 0.3, 1),
        (3, worse, 0.6, 2),
        (None, never, None, None),
    ]
    # Another metric is taken at that epoch, too, though it went on to be better.
    query = "SELECT value FROM outcomes WHERE run_id = $1 AND metric = 'val_accuracy'"
    assert rows(house, query, first) == [(pytest.approx(0.3),)]
    assert rows(house, "SELECT max FROM run_metrics WHERE run_id = $1 AND name = 'accuracy' "
                "AND split = 'val'", first) == [(0.5,)]  # fmt: skip


def test_time_to_a_target(house: House, rows: Ask) -> None:
    quick = trained(house, [0.5, 0.2, 0.1])
    slow = trained(house, [0.5, math.nan, 0.4, 0.2])
    never = trained(house, [0.5, 0.4])
    assert rows(house, "FROM time_to('val_loss', 0.2)") == [
        (quick, True, 2, 0.2, 1.0),
        (slow, True, 4, 0.2, 2.0),
        (never, False, None, None, None),
    ]
    reached = rows(house, "SELECT run_id, epoch FROM time_to('val_accuracy', 0.3) WHERE reached")
    assert reached == [(quick, 3), (slow, 3)]


def test_overfitting_is_greater_where_it_is_worse(house: House, rows: Ask) -> None:
    run_id = trained(house, [0.5, 0.2, 0.6])
    query = (
        "SELECT best_epoch, epochs_after, gap_at_best, gap_last, lost_after FROM overfitting "
        "WHERE run_id = $1 AND metric = $2"
    )
    assert rows(house, query, run_id, "loss") == [
        (2, 1, pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.4))
    ]
    assert rows(house, query, run_id, "accuracy") == [
        (2, 1, pytest.approx(0.8), pytest.approx(0.7), pytest.approx(-0.1))
    ]


def test_best_so_far(house: House, rows: Ask) -> None:
    for loss in (0.5, math.nan, 0.7, 0.2, 0.3):
        trained(house, [loss], sweep_id=SWEEP)
    values = rows(house, "SELECT run, best_so_far FROM best_so_far($1)", SWEEP)
    assert values == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.2), (5, 0.2)]


@pytest.mark.slow
def test_compare_runs_names_what_differs_between_many(house: House, rows: Ask) -> None:
    ids = [
        trained(house, [loss], params={"rate": loss, "same": "x", **more})
        for loss, more in ((0.1, {}), (0.2, {"extra": "<b>"}), (0.2, {}))
    ]
    found = {
        (kind, name): values
        for kind, name, values in rows(house, "FROM compare_runs($1::VARCHAR[])", ids)
    }
    assert found["param", "rate"] == ["0.1", "0.2", "0.2"]
    assert found["param", "extra"] == [None, "<b>", None]
    assert found["outcome", "val_loss"] == ["0.1", "0.2", "0.2"]
    assert ("param", "same") not in found
    assert rows(house, "FROM compare_runs($1::VARCHAR[])", ids[:1]) == []


def test_the_hash_of_a_config_knows_no_seed_and_no_place(house: House, rows: Ask) -> None:
    data = {"identity": "d1"}
    base = {"seed": 1.0, "rate": 1.0, "results": "/a", "engine": "fast", "sweep.max_jobs": 3.0}
    same = [
        {},
        {"seed": 2.0},
        {"results": "/b", "engine": "packed", "device": "gpu", "sweep.max_jobs": 4.0},
    ]
    other = [{"rate": 2.0}, {"rate": "1"}, {"extra": "1"}]
    for more in (*same, *other):
        trained(house, [0.1], params=base | more, data=data)
    trained(house, [0.1], params=base, data={"identity": "d2"})
    hashes = [h for (h,) in rows(house, "SELECT config_hash FROM runs ORDER BY run_id")]
    assert len(set(hashes[:3])) == 1
    assert len(set(hashes[2:])) == 4, "1 as a text is 1 as a number, as for the fingerprint"


def test_what_the_hash_leaves_out_is_what_the_fingerprint_leaves_out() -> None:
    for folder, name in (("ingest", "insert.sql"), ("schema", "020_comparison.sql")):
        text = dict(sql_of(folder))[name]
        listed = text.split("NOT IN (\n        'seed'" if folder == "schema" else "'seed', ")[1]
        names = {word.strip(" '\n") for word in listed.split(")")[0].split(",")}
        # Evaluators are a kind, which looks at what came out.
        assert names - {"", "evaluator"} == NAMES - set(OF_OUTCOME)


@pytest.mark.slow
def test_an_empty_warehouse_and_a_run_without_epochs_are_answered(house: House, rows: Ask) -> None:
    questions = (
        "FROM seeds", "FROM seeds('x')", "FROM sweep_effects(NULL)", "FROM sweep_levels('x')",
        "FROM time_to('val_loss', 1)", "FROM overfitting", "FROM best_so_far(NULL)",
        "FROM compare_runs(['x', 'y'])", "FROM compare_runs([]::VARCHAR[])", "FROM outcomes",
    )  # fmt: skip
    for question in questions:
        assert rows(house, question) == [], question
    trained(house, [])
    for question in questions:
        rows(house, question)
    with warehouse.connect(house.results) as con:
        assert con.execute("SELECT usable, mean FROM seeds").fetchall() == [(0, None)]


def test_a_sweeps_progress_is_a_query(house: House, rows: Ask) -> None:
    for index in range(3):
        status = ("finished", "failed", "stopped")[index]
        trained(house, [0.5], status=status, sweep_id=SWEEP, sweep_jobs=5)
    trained(house, [0.5], sweep_id="01900000-bbbb-7000-8000-000000000001")
    query = (
        "SELECT planned, runs, finished, failed, stopped, running, skipped FROM sweeps "
        "ORDER BY sweep_id"
    )
    assert rows(house, query) == [(5, 3, 1, 1, 1, 0, 0), (None, 1, 1, 0, 0, 0, 0)]

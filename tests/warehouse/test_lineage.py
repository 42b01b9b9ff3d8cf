"""Where a run's weights came from, as SQL has it, and ids that are nearly right."""

from __future__ import annotations

import pytest

import warehouse
from tests.warehouse.conftest import House


def given(parent_id: str) -> list[dict[str, str]]:
    weights = {"weights_id": f"{parent_id}:best:3", "sha256": "ab" * 32}
    return [{"param": "architecture.weights", "run_id": parent_id} | weights]


def test_lineage_goes_back_over_weights_resumes_and_replays(house: House) -> None:
    first = house.run()
    second = house.run(resumed_from=first)
    third = house.run(parents=given(second))
    fourth = house.run(replay_of=third, parents=given(second))
    warehouse.sync(house.results)
    with warehouse.connect(house.results) as con:
        rows = con.execute(
            "SELECT generation, relation, ancestor_id FROM lineage WHERE run_id = ?", [third]
        ).fetchall()
        assert rows == [(1, "weights", second), (2, "resumed", first)]
        back = con.execute(
            "SELECT DISTINCT ancestor_id FROM lineage WHERE run_id = ?", [fourth]
        ).fetchall()
        assert sorted(back) == sorted([(first,), (second,), (third,)])
        [(param, weights_id)] = con.execute(
            "SELECT param, weights_id FROM parents WHERE run_id = ?", [third]
        ).fetchall()
        assert (param, weights_id) == ("architecture.weights", f"{second}:best:3")


def test_an_unknown_run_is_answered_with_ids_that_are_near(house: House) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    wrong = run_id[-8:-1] + ("0" if run_id[-1] != "0" else "1")
    with warehouse.connect(house.results) as con:
        with pytest.raises(warehouse.WarehouseError, match=f"near: {run_id[-8:]}"):
            warehouse.find_run(con, wrong)
        with pytest.raises(warehouse.WarehouseError) as caught:
            warehouse.find_run(con, "zzzz")
        assert "near" not in str(caught.value)

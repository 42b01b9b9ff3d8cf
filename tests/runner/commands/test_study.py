"""The trials of a study in a storage that Optuna wrote become runs, once each."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

import warehouse
from runner.commands.study import import_study
from runner.errors import ConfigError
from warehouse.place import Place
from warehouse.verify import verify

DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "optimizer": CategoricalDistribution(["adam", "sgd"]),
}


def trial(state: str, reports: list[float], value: float | None = None) -> FrozenTrial:
    return create_trial(
        state=TrialState[state],
        value=value,
        params={"lr": 0.01, "optimizer": "sgd"},
        distributions=DISTRIBUTIONS,
        intermediate_values=dict(enumerate(reports)),
        constraints={"size": -3.0},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with study.db, which holds two studies, and other files."""
    folder = tmp_path_factory.mktemp("studies")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url = f"sqlite:///{folder / 'study.db'}"
    one = optuna.create_study(storage=url, study_name="one", direction="maximize")
    one.add_trials(
        [
            trial("COMPLETE", [0.5, 0.8, 0.7], 0.8),
            trial("COMPLETE", [0.5, math.nan, 0.7], 0.9),
            trial("COMPLETE", [], math.inf),
            trial("PRUNED", [0.2, 0.3, 0.1]),
            trial("PRUNED", []),
            trial("FAIL", [0.1]),
        ]
    )
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        two = optuna.create_study(
            storage=url, study_name="two", directions=["minimize", "maximize"]
        )
        two.set_metric_names(["val_loss", "speed"])
    two.add_trial(create_trial(values=[0.25, 100.0]))
    with sqlite3.connect(folder / "other.db") as other:
        other.execute("CREATE TABLE mine (id INTEGER)")
    other.close()
    (folder / "notes.txt").write_text("no storage\n", encoding="utf-8")
    return folder


def rows(results: Path, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(results) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_trials_are_runs_with_their_values_and_params(folder: Path, tmp_path: Path) -> None:
    sentence = import_study(f"sqlite:///{folder / 'study.db'}", "one", tmp_path / "results")

    assert sentence == (
        "imported 6 trials of study 'one' as runs of experiment 'optuna:one' "
        "(3 finished, 2 pruned, 1 failed)"
    )
    query = (
        "SELECT status, mode, epochs, best_epoch, error FROM runs "
        "ORDER BY CAST(config->>'$.trial' AS INTEGER)"
    )
    assert rows(tmp_path / "results", query) == [
        ("finished", "max", 3, 2, None),
        ("finished", "max", 4, 4, None),  # what it returned is none of what it reported
        ("finished", "max", 1, 1, None),
        ("stopped", "max", 3, 2, "pruned"),
        ("stopped", "max", 0, None, "pruned"),
        ("failed", "max", 1, 1, "the trial failed"),
    ]
    query = "SELECT value FROM outcomes WHERE metric = 'value' ORDER BY value"
    assert rows(tmp_path / "results", query) == [(0.1,), (0.3,), (0.8,), (0.9,), (math.inf,)]
    query = "SELECT DISTINCT name, value, number FROM params ORDER BY name"
    assert rows(tmp_path / "results", query) == [
        ("lr", "0.01", 0.01),
        ("optimizer", "sgd", None),
    ]
    query = "SELECT DISTINCT value FROM outcomes WHERE metric = 'constraint_size'"
    assert rows(tmp_path / "results", query) == [(-3.0,)]
    assert verify(Place.of(tmp_path / "results")) == []


@pytest.mark.slow
def test_twice_is_once_and_what_has_grown_comes_later(tmp_path: Path) -> None:
    url, results = f"sqlite:///{tmp_path / 'study.db'}", tmp_path / "results"
    study = optuna.create_study(storage=url, study_name="growing")
    study.add_trial(trial("COMPLETE", [0.5], 0.5))
    running = study.ask(DISTRIBUTIONS)

    assert import_study(url, None, results).endswith(
        "(1 finished); 1 not ended yet, for a later import"
    )
    (tmp_path / "study.db").rename(tmp_path / "moved.db")
    assert import_study(str(tmp_path / "moved.db"), None, results).startswith("imported 0 trials")
    (tmp_path / "moved.db").rename(tmp_path / "study.db")
    study.tell(running, 0.25)
    assert import_study(url, None, results) == (
        "imported 1 trial of study 'growing' as runs of experiment 'optuna:growing' "
        "(1 finished); 1 there before"
    )
    assert rows(results, "SELECT count(*) FROM runs") == [(2,)]


@pytest.mark.slow
def test_of_several_objectives_each_is_a_metric(folder: Path, tmp_path: Path) -> None:
    import_study(str(folder / "study.db"), "two", tmp_path / "results")

    query = "SELECT metric, mode, value FROM outcomes WHERE metric <> 'loss' ORDER BY metric"
    assert rows(tmp_path / "results", query) == [
        ("speed", "max", 100.0),
        ("val_loss", "min", 0.25),
    ]
    assert rows(tmp_path / "results", "SELECT monitor, mode FROM runs") == [("val_loss", "min")]


def test_a_journal_of_optunas_is_a_storage_too(tmp_path: Path) -> None:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    file = tmp_path / "optuna journal.log"
    storage = JournalStorage(JournalFileBackend(str(file)))
    optuna.create_study(storage=storage, study_name="kept").add_trial(trial("COMPLETE", [], 1.0))

    assert import_study(str(file), None, tmp_path / "results").startswith("imported 1 trial of")


@pytest.mark.parametrize(
    ("file", "name", "pattern"),
    [
        ("none.db", None, r"^there is no storage sqlite:///.*none\.db: give sqlite:///<file>"),
        ("study.db", None, r"holds several studies: give --study, available: one, two$"),
        ("study.db", "oen", r"holds no study 'oen': did you mean 'one'\? available: one, two$"),
        ("other.db", None, r"other\.db cannot be read as a storage of Optuna's \("),
        ("notes.txt", None, r"notes\.txt is no file of SQLite$"),
    ],
)
def test_what_is_no_study_is_refused_and_left_as_it_was(
    folder: Path, tmp_path: Path, file: str, name: str | None, pattern: str
) -> None:
    before = {one.name: one.read_bytes() for one in folder.iterdir()}

    with pytest.raises(ConfigError, match=pattern):
        import_study(f"sqlite:///{folder / file}", name, tmp_path / "results")

    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before
    assert not (tmp_path / "results").exists()


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        import_study("nosuch://user:secret@host/studies", None, tmp_path / "results")

    assert "secret" not in str(error.value)

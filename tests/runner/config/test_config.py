"""What overrides compose to, what is refused, and what the fingerprint depends on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runner
from runner.components.registry import load
from runner.config.compose import compose
from runner.config.config import Config, config_of, flatten
from runner.config.fingerprint import fingerprint
from runner.data.identity import data_identity
from runner.errors import ConfigError, RunnerError
from tests.conftest import Site

bounded = settings(derandomize=True, max_examples=60, deadline=None)


def composed(*overrides: str) -> Config:
    return compose(overrides)[0]


@pytest.fixture(scope="module")
def body() -> dict[str, Any]:
    """The default experiment as a plain config."""
    return composed("seed=3", "regularizer=[l2,dropout]").plain()


# --- Composition ---------------------------------------------------------------------------------


def test_the_example_command_composes_as_it_says() -> None:
    config = composed(
        "dataset=mnist5k",
        "architecture=cnn",
        "optimizer=rmsprop",
        "optimizer.learning_rate=3e-4",
        "regularizer=[l2,dropout]",
        "regularizer.l2.strength=1e-4",
        "batch_size=64",
        "epochs=5",
        "seed=7",
    )
    said = config.plain()
    assert [said[kind]["name"] for kind in ("dataset", "architecture", "optimizer")] == [
        "mnist5k",
        "cnn",
        "rmsprop",
    ]
    assert said["optimizer"]["learning_rate"] == 3e-4
    assert said["regularizer"]["l2"] == {"strength": 1e-4}
    assert set(said["regularizer"]) == {"l2", "dropout"}
    assert (said["batch_size"], said["epochs"], said["seed"]) == (64, 5, 7)


def test_defaults_come_from_the_signature(site: Site) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def tower(input_shape, outputs, *, floors: int = 4, lift: bool = False):
            '''A tower.'''
        """
    )
    assert composed("architecture=tower").plain()["architecture"] == {
        "name": "tower",
        "floors": 4,
        "lift": False,
    }


@pytest.mark.slow
def test_structure_comes_before_penalties_whatever_the_order_of_the_list() -> None:
    orders = ("regularizer=[l2,dropout,l1]", "regularizer=[dropout,l1,l2]")
    names = [[c.component.name for c in composed(o).chosen["regularizer"]] for o in orders]
    assert names[0] == names[1]
    assert names[0][0] == "dropout"


def test_preprocessing_keeps_the_order_of_the_list() -> None:
    config = composed("preprocessing=[standardize,impute]")
    assert [c.component.name for c in config.chosen["preprocessing"]] == ["standardize", "impute"]


def test_an_alias_stands_for_its_component() -> None:
    assert composed("optimizer=Adam").plain()["optimizer"]["name"] == "adam"


def test_the_name_of_the_preset_is_known() -> None:
    assert compose(["experiment=breast_cancer"])[1] == "breast_cancer"
    assert compose([])[1] == "default"


def test_resolvers_are_resolved() -> None:
    config = composed("split.seed=11", "seed=${split.seed}")
    assert config.settings.seed == 11


def test_the_environment_says_where_results_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", "elsewhere")
    assert composed().settings.results == "elsewhere"
    assert composed("results=here").settings.results == "here"


def test_a_path_counts_from_the_present_folder_or_from_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for said, meant in (("~/a.npz", tmp_path / "a.npz"), ("a.npz", Path.cwd() / "a.npz")):
        config = composed("dataset=arrays", f'dataset.path="{said}"')
        assert config.one("dataset").params["path"] == meant


def test_a_key_of_the_users_own_is_kept() -> None:
    config = composed("+note=first try")
    assert config.plain()["note"] == "first try"
    assert {"name": "note", "value": "first try", "number": None} in flatten(config)


def test_a_deleted_schedule_is_a_constant_one() -> None:
    assert composed("~schedule").plain()["schedule"] == {"name": "constant"}
    assert composed("~regularizer").plain()["regularizer"] == {}


def test_a_plain_config_reads_back_as_the_config_it_came_from(body: Mapping[str, Any]) -> None:
    again = config_of(json.loads(json.dumps(body)), load())
    assert again.plain() == body


def test_params_are_flat_and_numbers_are_numbers() -> None:
    rows = {row["name"]: row for row in flatten(composed("architecture.units=[8,4]"))}
    assert rows["architecture"]["value"] == "mlp"
    assert rows["architecture.units"] == {
        "name": "architecture.units",
        "value": "[8,4]",
        "number": None,
    }
    assert rows["regularizer"]["value"] == "[dropout,early_stopping,l2]"
    assert rows["optimizer.learning_rate"]["number"] == 0.001
    assert rows["split.val"]["number"] == 0.2
    assert rows["monitor"] == {"name": "monitor", "value": "null", "number": None}


# --- What is refused -----------------------------------------------------------------------------

REFUSED = [
    # Overrides, and what the sentence must hold: value, place, and what would be right.
    ("architecture=mpl", "architecture 'mpl'", "did you mean 'mlp'", "autoencoder, cnn"),
    ("dataset=nosuch", "dataset=nosuch", "digits"),
    ("regularizer=[l2,nosuch]", "regularizer 'nosuch'", "max_norm"),
    ("metrics=[acuracy]", "metric 'acuracy'", "did you mean 'accuracy'"),
    ("preprocessing=[nosuch]", "preprocessing 'nosuch'", "standardize"),
    ("schedule=cosin", "schedule 'cosin'", "did you mean 'cosine'"),
    ("loss=hubber", "loss 'hubber'", "did you mean 'huber'"),
    ("experiment=nosuch", "experiment 'nosuch'", "mnist_cnn"),
    ("dataset=3", "dataset=3", "digits"),
    ("dataset=[iris,wine]", "dataset=[iris,wine]", "one name"),
    ("optimizer=null", "optimizer=null", "adam"),
    ("regularizer=[3]", "regularizer=[3]", "names", "dropout"),
    ("regularizer.l2=3", "regularizer.l2=3", "regularizer=[l2]"),
    ("dataset={a:1}", "dataset", "'a'", "digits"),
    ("optimizer.learning_rat=1", "'learning_rat'", "did you mean 'learning_rate'"),
    ("optimizer=sgd optimizer.beta_1=3", "'beta_1'", "'sgd'", "momentum"),
    ("regularizer.l2.strenth=1", "regularizer.l2", "'strenth'", "did you mean 'strength'"),
    ("regularizer.l1.strength=1", "l1 is not in use", "regularizer=[l1]"),
    ("+architecture.foo=3", "architecture", "'foo'", "units"),
    ("nosuch=1", "'nosuch'", "batch_size"),
    ("split.foo=1", "split", "'foo'", "seed, test, val"),
    ("epochs=0", "epochs=0", "greater than 0"),
    ("epochs=-3", "epochs=-3", "greater than 0"),
    ("epochs=many", "epochs=many", "Integer"),
    ("epochs=2.5", "epochs=2.5", "Integer"),
    ("epochs=null", "epochs=null", "not Optional"),
    ("++epochs=0", "epochs=0", "greater than 0"),
    ("batch_size=0", "batch_size=0", "greater than 0"),
    ("limit_batches=0", "limit_batches=0", "greater than 0"),
    ("seed=-1", "seed=-1", "greater than or equal to 0"),
    ("seed=4294967296", "seed=4294967296", "less than 4294967296"),
    ("optimizer.learning_rate=-1", "optimizer.learning_rate=-1", "greater than 0"),
    ("optimizer.learning_rate=nan", "optimizer.learning_rate=nan", "finite"),
    ("optimizer.learning_rate=fast", "optimizer.learning_rate=fast", "Float"),
    ("optimizer={learning_rate:-1}", "optimizer.learning_rate=-1", "greater than 0"),
    ("architecture.units=[8,0]", "architecture.units", "=0", "greater than or equal to 1"),
    ("architecture.units=wide", "architecture.units=wide", "Sequence"),
    ("architecture.activation=rleu", "architecture.activation=rleu", "'relu'"),
    ("deterministic=perhaps", "deterministic=perhaps", "bool"),
    ("mode=up", "mode=up", "'auto', 'min' or 'max'"),
    ("precision=float8", "precision=float8", "'mixed_bfloat16'"),
    ("debug=all", "debug=all", "'summary' or 'overfit'"),
    ("split.val=-0.1", "split.val=-0.1", "greater than or equal to 0"),
    ("split.val=0.6 split.test=0.5", "split.val=0.6", "split.test=0.5", "less than 1"),
    ("split=3", "split=3", "one by one"),
    ("dataset=arrays", "dataset.path", "dataset.path=<value>"),
    ("optimizer.learning_rate=${nosuch}", "optimizer.learning_rate", "'nosuch'"),
    ("epochs=${oc.env:NOSUCH}", "epochs", "NOSUCH"),
    ("~dataset", "dataset=<name>", "digits"),
    ("~nosuch", "'nosuch'", "does not exist"),
    ("=3", "=3", "key=value"),
    ("a=b=c", "a=b=c", "key=value"),
    ("epochs=[", "epochs=[", "key=value"),
]


@pytest.mark.many
@pytest.mark.parametrize(("overrides", "needles"), [(c[0], c[1:]) for c in REFUSED])
def test_a_mistake_is_one_sentence(overrides: str, needles: tuple[str, ...]) -> None:
    with pytest.raises(RunnerError) as refused:
        compose(overrides.split())
    said = str(refused.value)
    assert "\n" not in said
    assert "Traceback" not in said
    assert [needle for needle in needles if needle not in said] == [], said


def test_a_literal_with_many_choices_names_them_all() -> None:
    with pytest.raises(ConfigError, match=r"'gelu'.*'swish'"):
        composed("architecture.activation=rleu")


def test_a_param_without_default_must_be_given(site: Site) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def tower(input_shape, outputs, *, floors: int):
            '''A tower.'''
        """
    )
    with pytest.raises(ConfigError, match=r"architecture\.floors=<value>"):
        composed("architecture=tower")
    assert composed("architecture=tower", "architecture.floors=3")


@pytest.mark.slow
def test_nothing_is_written_when_an_override_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        runner.run(["epochs=0"])
    assert list(tmp_path.iterdir()) == []


# --- The fingerprint -----------------------------------------------------------------------------


def of(body: Mapping[str, Any], data: str = "data") -> str:
    return fingerprint(config_of(body, load()), data)


@st.composite
def shuffled(draw: st.DrawFn, node: Any) -> Any:
    """The same config with the keys of every mapping in another order."""
    if not isinstance(node, Mapping):
        return node
    # The list of preprocessing steps is the one place where order has a meaning.
    return {key: draw(shuffled(node[key])) for key in draw(st.permutations(list(node)))}


def floats(node: Any) -> Any:
    """The same config as a YAML author might type it who writes 1.0 for 1."""
    if isinstance(node, Mapping):
        return {key: floats(item) for key, item in node.items()}
    return float(node) if isinstance(node, int) and not isinstance(node, bool) else node


@pytest.mark.slow
@bounded
@given(data=st.data())
def test_the_order_of_keys_makes_no_difference(
    data: st.DataObject, body: Mapping[str, Any]
) -> None:
    assert of(data.draw(shuffled(body))) == of(body)


@bounded
@given(rate=st.integers(1, 10**6), units=st.lists(st.integers(1, 512), max_size=4))
def test_whole_numbers_are_equal_as_int_and_float(
    rate: int, units: list[int], body: Mapping[str, Any]
) -> None:
    one = {**body, "optimizer": {**body["optimizer"], "learning_rate": rate}}
    one["architecture"] = {**body["architecture"], "units": units}
    assert of(floats(one)) == of(one)


@bounded
@given(note=st.integers(-(10**6), 10**6))
def test_that_holds_too_where_no_signature_says_the_type(
    note: int, body: Mapping[str, Any]
) -> None:
    said = {"note": note, "notes": {"deep": [note]}}
    as_float = {"note": float(note), "notes": {"deep": [float(note)]}}
    assert of({**body, **said}) == of({**body, **as_float})
    assert of({**body, **said}) != of({**body, "note": note + 0.5, "notes": said["notes"]})


@pytest.mark.slow
@bounded
@given(
    engine=st.text(max_size=8),
    device=st.text(max_size=8),
    results=st.text(alphabet="abc/. ", max_size=20),
)
def test_engine_device_and_place_make_no_difference(
    engine: str, device: str, results: str, body: Mapping[str, Any]
) -> None:
    assert of({**body, "engine": engine, "device": device, "results": results}) == of(body)
    assert of({**body, "engine": engine, "kernels": "plain"}) == of(body)


@bounded
@given(one=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
def test_different_seeds_have_different_fingerprints(
    one: int, other: int, body: Mapping[str, Any]
) -> None:
    same = of({**body, "seed": one}) == of({**body, "seed": other})
    assert same == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"epochs": 21},
        {"batch_size": 33},
        {"split": {"val": 0.25}},
        {"split": {"seed": 1}},
        {"monitor": "val_accuracy"},
        {"mode": "max"},
        {"precision": "mixed_bfloat16"},
        {"deterministic": True},
        {"limit_batches": 3},
        {"architecture": {"units": [64]}},
        {"architecture": {"activation": "tanh"}},
        {"optimizer": {"name": "adamw", "weight_decay": 0.01}},
        {"optimizer": {"learning_rate": 0.0011}},
        {"optimizer": {"amsgrad": True}},
        {"regularizer": {"l2": {"strength": 0.1}}},
        {"regularizer": {"l1": {}}},
        {"schedule": {"name": "cosine"}},
        {"preprocessing": {"standardize": {}}},
        {"metrics": {"mse": {}}},
        {"loss": {"name": "huber"}},
        {"note": 1},
    ],
    ids=str,
)
def test_what_determines_the_outcome_changes_the_fingerprint(
    change: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    assert of(merged(body, change)) != of(body)


def merged(body: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The config with some of it changed."""
    inner = {
        key: merged(body.get(key, {}), item) if isinstance(item, Mapping) else item
        for key, item in change.items()
    }
    return {**body, **inner}


@pytest.mark.slow
def test_the_order_of_preprocessing_changes_the_fingerprint() -> None:
    orders = ("preprocessing=[impute,minmax]", "preprocessing=[minmax,impute]")
    assert len({fingerprint(composed(order), "data") for order in orders}) == 2


def test_other_data_have_another_fingerprint(body: Mapping[str, Any]) -> None:
    assert of(body, "data") != of(body, "other data")


def test_a_resolver_and_its_value_have_one_fingerprint() -> None:
    resolved = composed("split.seed=5", "seed=${split.seed}")
    assert fingerprint(resolved, "data") == fingerprint(composed("split.seed=5", "seed=5"), "data")


def test_a_param_at_its_default_is_as_if_not_given() -> None:
    assert fingerprint(composed("optimizer.beta_1=0.9"), "x") == fingerprint(composed(), "x")


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Writes an .npz and says the fingerprint of a run on it."""

    def written(name: str, last: float = 0.0) -> str:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        x = np.zeros((6, 2))
        x[-1, -1] = last
        np.savez(file, x=x, y=np.arange(6) % 3)
        config = composed("dataset=arrays", f"dataset.path={file}")
        identity = data_identity(config.one("dataset"), pytest.fail, tmp_path / "results")
        return fingerprint(config, identity)

    return written


def test_where_the_data_lie_makes_no_difference_but_their_content_does(
    written: Callable[..., str],
) -> None:
    first = written("a.npz")
    assert written("deeper/b.npz") == first
    assert written("a.npz", last=1.0) != first


TOWER = """
from runner import architecture

@architecture
def tower(input_shape, outputs, *, floors: int = 4):
    '''A tower.'''
    return {returned}
"""


@pytest.mark.slow
def test_editing_or_upgrading_a_plugin_changes_the_fingerprint(site: Site) -> None:
    def installed(returned: str, version: str) -> str:
        site.install(TOWER.format(returned=returned), version=version)
        return fingerprint(composed("architecture=tower"), "data")

    first = installed("None", "1.0")
    assert installed("None", "1.0") == first
    assert installed("outputs", "1.0") != first
    assert installed("None", "1.1") != first


@pytest.mark.slow
def test_editing_a_module_that_a_component_imports_changes_the_fingerprint(
    site: Site, tmp_path: Path
) -> None:
    def installed(helper: str) -> str:
        package = tmp_path / "site" / "house"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "_helper.py").write_text(helper, encoding="utf-8")
        (package / "unrelated.py").write_text(f"x = {len(helper)}\n", encoding="utf-8")
        (package / "towers.py").write_text(
            "from ._helper import height\n" + TOWER.format(returned="height"), encoding="utf-8"
        )
        for name in ("house", "house._helper", "house.towers", "house.unrelated"):
            site.forget(name)
        site.install("", name="empty")
        entry = tmp_path / "site" / "empty-1.0.dist-info" / "entry_points.txt"
        entry.write_text("[runner]\nhouse = house\n", encoding="utf-8")
        site.forget("house")
        return fingerprint(composed("architecture=tower"), "data")

    first = installed("height = 1\n")
    assert installed("height = 1\n") == first
    assert installed("height = 22\n") != first

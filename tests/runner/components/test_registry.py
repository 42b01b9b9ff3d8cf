"""The plugin door: what is discovered, what is refused, and how it is told."""

from __future__ import annotations

import itertools
import sys
import textwrap
import warnings

import pytest

from runner.components import registry
from runner.components.sources import source_files
from runner.errors import ConfigError, PluginError

NUMBERS = itertools.count()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install("mine", source) puts a distribution with one plugin module on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def put(distribution: str, source: str | dict[str, str], entry: str = "", version="1.0"):
        module = f"plugin_{next(NUMBERS)}"
        files = {"__init__": source} if isinstance(source, str) else source
        (tmp_path / module).mkdir()
        for name, text in files.items():
            text = textwrap.dedent(text).replace("MODULE", module)
            (tmp_path / module / f"{name}.py").write_text(text, encoding="utf-8")
        info = tmp_path / f"{distribution}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
        )
        lines = entry.replace("MODULE", module) or f"{distribution} = {module}"
        (info / "entry_points.txt").write_text(f"[runner]\n{lines}\n", encoding="utf-8")
        registry.load.cache_clear()
        return module

    yield put
    registry.load.cache_clear()
    for name in set(sys.modules) - known:
        if name.startswith("plugin_"):
            del sys.modules[name]


TINY = """
    from runner import dataset

    @dataset
    def tiny(*, rows: int = 4):
        "A few rows."
"""


def test_a_third_party_component_stands_beside_the_built_in_ones(install):
    module = install("mine", TINY, version="2.3")
    component = registry.load().find("dataset", "tiny")
    assert (component.distribution, component.version) == ("mine", "2.3")
    assert component.plugin == "mine"
    assert component.summary == "A few rows."
    assert component.function.__module__ == module
    assert registry.load().find("dataset", "digits").distribution == "sweephouse"


def test_load_reads_the_plugins_once_a_process(install):
    install("mine", TINY)
    assert registry.load() is registry.load()


def test_a_module_may_hold_many_components_of_many_kinds(install):
    install(
        "mine",
        """
        from runner import architecture, dataset, regularizer

        @dataset
        def one(): ...

        @dataset(name="2-two", aliases=["deux"])
        def two(): ...

        @architecture
        def three(outputs, input_shape): ...

        @regularizer(stage="structure")
        def four(recipe, *, name: str = "x"): ...
        """,
    )
    found = registry.load()
    assert found.find("dataset", "2-two") is found.find("dataset", "deux")
    assert found.find("architecture", "three").needs == ("outputs", "input_shape")
    assert found.find("regularizer", "four").marks.stage == "structure"
    assert [c.name for c in found.of_kind("dataset")].count("2-two") == 1
    assert "deux" in found.names("dataset")


def test_components_of_a_package_are_found_in_all_but_private_and_test_modules(install):
    install(
        "mine",
        {
            "__init__": "",
            "good": TINY,
            "_hidden": TINY.replace("tiny", "hidden"),
            "test_good": TINY.replace("tiny", "testing"),
        },
    )
    names = registry.load().names("dataset")
    assert "tiny" in names
    assert not {"hidden", "testing"} & set(names)


def test_two_components_of_one_name_are_an_error_that_names_both(install):
    install("mine", TINY)
    install("yours", TINY, version="0.2")
    with pytest.raises(PluginError) as told:
        registry.load().find("dataset", "tiny")
    said = str(told.value)
    assert "dataset 'tiny'" in said
    assert "mine 1.0" in said
    assert "yours 0.2" in said
    assert "disable one: SWEEPHOUSE_DISABLE=mine/dataset/tiny or " in said


@pytest.mark.parametrize("one", ["mine", "yours"])
def test_a_clash_of_names_stops_those_who_use_the_name_and_ends_as_the_sentence_says(
    install, monkeypatch, one
):
    install("mine", TINY)
    install("yours", TINY)
    assert registry.load().find("optimizer", "adam")
    monkeypatch.setenv(registry.DISABLE, f"{one}/dataset/tiny")
    registry.load.cache_clear()
    assert registry.load().find("dataset", "tiny").distribution in {"mine", "yours"} - {one}


def test_a_name_of_a_built_in_component_is_taken_too(install):
    install("mine", TINY.replace("tiny", "digits"))
    with pytest.raises(PluginError, match=r"sweephouse .* and one of mine|mine .* of sweephouse"):
        registry.load().find("dataset", "digits")


def test_equal_names_of_different_kinds_are_no_clash(install):
    install("mine", TINY.replace("tiny", "linear"))
    assert registry.load().find("dataset", "linear").distribution == "mine"
    assert registry.load().find("architecture", "linear").distribution == "sweephouse"


@pytest.mark.parametrize("disabled", ["yours", "mine", "other, yours"])
def test_a_plugin_can_be_disabled_by_name(install, monkeypatch, disabled):
    install("mine", TINY)
    install("yours", TINY)
    monkeypatch.setenv(registry.DISABLE, disabled)
    left = "yours" if disabled == "mine" else "mine"
    if "other" in disabled:
        unknown = (
            "SWEEPHOUSE_DISABLE names 'other', which is neither .* available: mine, sweephouse"
        )
        with pytest.warns(UserWarning, match=unknown):
            registry.load()
    assert registry.load().find("dataset", "tiny").distribution == left


@pytest.mark.parametrize("name", ["optimizer/adamm", "mine/dataset/tinny"])
def test_a_component_that_is_to_be_disabled_and_is_not_there_is_a_warning(
    install, monkeypatch, name
):
    install("mine", TINY)
    monkeypatch.setenv(registry.DISABLE, name)
    near = "optimizer/adam" if "adam" in name else "dataset/tiny"
    with pytest.warns(UserWarning, match=f"names '{name}'.* did you mean '{near}'"):
        registry.load()


def test_a_component_can_be_disabled_by_kind_and_name(install, monkeypatch):
    install("mine", TINY)
    monkeypatch.setenv(registry.DISABLE, "dataset/tiny,optimizer/adam")
    with pytest.raises(ConfigError, match="there is no dataset 'tiny'"):
        registry.load().find("dataset", "tiny")
    with pytest.raises(ConfigError, match="there is no optimizer 'adam' "):
        registry.load().find("optimizer", "adam")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nosuchmodule", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("raise RuntimeError('no luck\\nat all')", "RuntimeError: no luck"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_plugin_that_fails_on_import_is_a_warning_and_all_else_works(install, source, said):
    module = install("broken", source)
    install("mine", TINY)
    with pytest.warns(UserWarning, match=rf"plugin 'broken' \(broken 1.0\).*{module}") as told:
        found = registry.load()
    assert said in str(told[0].message)
    assert "\n" not in str(told[0].message)
    assert found.find("dataset", "tiny")
    assert found.find("optimizer", "adam")


def test_a_module_that_fails_leaves_the_others_of_its_plugin_and_its_line_is_said(install):
    bad = "\n\nimport nosuchmodule"
    module = install("mine", {"__init__": "", "bad": bad, "good": TINY, "worse": "x = ("})
    with pytest.warns(UserWarning) as told:
        found = registry.load()
    assert found.find("dataset", "tiny")
    first, second = (str(one.message) for one in told)
    assert f"importing {module}.bad failed" in first and first.endswith("bad.py, line 3)")
    assert f"importing {module}.worse failed" in second and "worse.py, line 1)" in second


@pytest.mark.parametrize(
    ("source", "entry", "sentence"),
    [
        ("x = 1", "mine = MODULE", "plugin 'mine' .* has no component: nothing in plugin_"),
        (TINY, "mine = MODULE:tiny", r"names tiny in plugin_\d+, and all of a module counts"),
    ],
)
def test_an_entry_point_that_promises_what_is_not_there_is_a_warning(
    install, source, entry, sentence
):
    install("mine", source, entry=entry)
    with pytest.warns(UserWarning, match=sentence):
        registry.load()


def test_an_entry_point_to_a_module_that_is_not_there_is_a_warning(install):
    install("mine", TINY, entry="gone = nosuchplugin")
    with pytest.warns(UserWarning, match="plugin 'gone'.*nosuchplugin"):
        registry.load()


BROKEN = {
    "def bad(width): ...": "takes 'width', which the runner does not offer",
    "def bad(input_shape, outputs=3): ...": "gives 'outputs' a default",
    "def bad(*args): ...": r"takes \*args",
    "def bad(outputs, **rest): ...": r"takes \*rest",
    "def bad(*, width=3): ...": "'width' has no type",
    "def bad(*, width: int = 'much'): ...": "width=much is not valid",
    "def bad(*, width: Nonsense = 3): ...": "type is unknown",
    "def bad(*, name: str = 'x'): ...": "a param 'name'",
    "def bad(*, turn: complex = 1j): ...": "the param 'turn' is of type complex",
    "def bad(*, turns: list[complex]): ...": r"the param 'turns' is of type list\[complex\]",
    "async def bad(): ...": "is async",
    "def bad(): yield 1": "is a generator",
    "class bad: ...": "is a class: a component is a plain function",
    "@functools.cache\ndef bad(): ...": "is _lru_cache_wrapper: a component is a plain",
}


@pytest.mark.parametrize("source, said", BROKEN.items())
def test_a_signature_that_breaks_the_contract_is_named_with_the_contract(install, source, said):
    head = "from __future__ import annotations\nimport functools\n"
    head += "from runner import architecture, dataset\n"
    install(
        "mine",
        f"{head}@architecture\n{source}\n@dataset\ndef tiny(): ...\n",
    )
    with pytest.warns(UserWarning, match=said) as told:
        found = registry.load()
    assert "architecture 'bad' in plugin_" in str(told[0].message)
    # The rest of the module works; who asks for the broken one is told why it is not there.
    assert found.find("dataset", "tiny")
    with pytest.raises(PluginError, match=said):
        found.find("architecture", "bad")


@pytest.mark.parametrize(("kind", "mode"), [("metric", "up"), ("loss", "min")])
def test_a_direction_is_min_or_max_and_of_a_metric(install, kind, mode):
    install("mine", f"from runner import {kind}\n@{kind}(mode={mode!r})\ndef bad(task): ...")
    with pytest.warns(UserWarning, match=f"{kind} 'bad' in .* says mode='{mode}': a metric may"):
        registry.load()


@pytest.mark.parametrize("search", ["Search(0, 1, log=True)", "Search(2, 1)", "Search()"])
def test_values_worth_trying_are_two_bounds_or_a_list(install, search):
    install(
        "mine",
        "from typing import Annotated\nfrom runner import Search, optimizer\n@optimizer\n"
        f"def bad(*, rate: Annotated[float, {search}] = 0.5): ...",
    )
    with pytest.warns(UserWarning, match=r"optimizer 'bad' in .* marks its param 'rate' with"):
        found = registry.load()
    with pytest.raises(PluginError, match="which names no values"):
        found.find("optimizer", "bad")


def test_the_contract_lists_what_the_kind_offers(install):
    install("mine", "from runner import schedule\n@schedule\ndef bad(rate): ...")
    with pytest.warns(
        UserWarning, match="may take learning_rate, epochs, steps_per_epoch, monitor, mode before"
    ):
        registry.load()


def test_a_decorated_function_that_is_merely_imported_is_not_registered_twice(install):
    first = install("mine", {"__init__": "", "part": TINY})
    install("yours", f"from {first}.part import tiny\nagain = tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.load().find("dataset", "tiny").distribution == "mine"


def test_two_entry_points_to_one_module_register_it_once(install):
    install(
        "mine",
        {"__init__": "", "part": TINY},
        entry="whole = MODULE\npart = MODULE.part",
    )
    assert registry.load().find("dataset", "tiny").distribution == "mine"


def test_a_param_without_default_must_be_given(install):
    install("mine", TINY.replace("rows: int = 4", "rows: int"))
    component = registry.load().find("dataset", "tiny")
    with pytest.raises(
        ConfigError, match=r"dataset\.rows has no default: give dataset\.rows=<value>"
    ):
        component.check({}, "dataset")
    assert component.check({"rows": 3}, "dataset") == {"rows": 3}


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    found = registry.load()
    with pytest.raises(ConfigError) as told:
        found.find("optimizer", "adamm")
    said = str(told.value)
    assert "there is no optimizer 'adamm' (optimizer=adamm)" in said
    assert "did you mean 'adam'?" in said
    assert all(c.name in said for c in found.of_kind("optimizer"))
    with pytest.raises(ConfigError, match="metrics=nosuch"):
        found.find("metric", "nosuch")


def test_a_component_is_called_with_what_it_takes_of_the_offers(install):
    install(
        "mine",
        """
        from runner import schedule

        @schedule
        def halves(epochs, learning_rate, *, power: float = 1.0):
            return learning_rate / epochs**power
        """,
    )
    component = registry.load().find("schedule", "halves")
    offers = {"learning_rate": 8.0, "epochs": 2, "monitor": "loss", "mode": "min"}
    assert component(offers, component.check({"power": "2"}, "schedule")) == 2.0


def test_source_files_are_the_module_and_what_it_imports_of_its_package(install):
    module = install(
        "mine",
        {
            "__init__": "",
            "part": "from . import helper\n" + textwrap.dedent(TINY),
            "helper": "from MODULE.deeper import x",
            "deeper": "x = 1",
            "other": "",
        },
    )
    component = registry.load().find("dataset", "tiny")
    names = [f"{p.parent.name}/{p.name}" for p in source_files(component.function)]
    assert {f"{module}/{name}.py" for name in ("part", "helper", "deeper")} <= set(names)
    assert f"{module}/other.py" not in names


def test_a_private_module_that_a_function_imports_counts_and_is_not_imported(install):
    module = install(
        "mine",
        {
            "__init__": "",
            "part": TINY + "\n        from ._heavy import Layer",
            "_heavy": "raise MemoryError('TensorFlow, say')\nfrom ._heavier import Layer",
            "_heavier": "Layer = 1",
        },
    )
    component = registry.load().find("dataset", "tiny")
    names = {path.name for path in source_files(component.function)}
    assert {"part.py", "_heavy.py", "_heavier.py"} <= names
    assert f"{module}._heavy" not in sys.modules


def test_source_files_of_a_built_in_component_hold_its_shared_code():
    dropout = registry.load().find("regularizer", "dropout")
    names = {path.name for path in source_files(dropout.function)}
    assert {"dropout.py", "_surgery.py"} <= names
    assert "penalties.py" not in names


def test_an_identity_that_takes_other_params_than_its_dataset_is_named(install):
    install(
        "mine",
        """
        from runner import dataset

        def _identity(*, rows):
            return "rows"

        @dataset(identity=_identity)
        def tiny(*, columns: int = 4):
            "A few columns."
        """,
    )
    with pytest.warns(UserWarning, match="identity function that does not take the same params"):
        loaded = registry.load()
    with pytest.raises(PluginError, match="dataset 'tiny'"):
        loaded.find("dataset", "tiny")

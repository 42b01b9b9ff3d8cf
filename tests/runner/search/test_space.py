"""Spaces of searches: from words and presets, and back to words."""

from __future__ import annotations

import functools
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.components.registry import load
from runner.components.search_types import Dimension, Space, search_of
from runner.components.signature import check, model_of
from runner.config.compose import compose, reading_what_is_typed
from runner.config.config import Config
from runner.config.settings import SearchSettings
from runner.errors import ConfigError
from runner.search.space import Asked, asked_of, words_of

RATE = "optimizer.learning_rate"
ISSUE = (
    "optimizer.learning_rate=tag(log,interval(1e-4,1e-1))",
    "architecture.units=[64],[64,64],[128,64]",
    "regularizer=[l2],[l2,dropout]",
    "regularizer.dropout.rate=interval(0,0.5)",
    "optimizer=adam,sgd",
    "optimizer.momentum=0,0.9",
)


@functools.cache
def config_of(*words: str) -> Config:
    return compose(words)[0]


def asked(*words: str, space: Any = None) -> Asked:
    with reading_what_is_typed(multirun=True):
        overrides = OverridesParser.create().parse_overrides(list(words))
    search = SearchSettings(space=space)
    return asked_of(overrides, search, lambda fixed: config_of(*fixed), load())


def space_of(*words: str, space: Any = None) -> Space:
    return asked(*words, space=space).space


def refused(*words: str, space: Any = None) -> str:
    with pytest.raises(ConfigError) as error:
        asked(*words, space=space)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def test_the_space_of_a_command_line_in_hydras_grammar():
    by_name = {one.name: one for one in space_of(*ISSUE)}
    assert by_name[RATE] == Dimension(RATE, "float", 1e-4, 1e-1, log=True)
    units = by_name["architecture.units"]
    assert units.choices == ((64,), (64, 64), (128, 64))
    assert units.structural and not units.ordered
    assert by_name["optimizer"].choices == ("adam", "sgd")
    assert by_name["regularizer"].choices == (("l2",), ("l2", "dropout"))


def test_a_param_counts_only_under_the_choices_that_have_it():
    space = space_of(*ISSUE)
    assert space["optimizer.momentum"].only_if == {"optimizer": ("sgd",)}
    assert space["regularizer.dropout.rate"].only_if == {"regularizer": (("l2", "dropout"),)}
    assert space[RATE].only_if == {}
    names = [one.name for one in space]
    assert all(
        names.index(other) < names.index(one.name) for one in space for other in one.only_if
    )


def test_a_value_for_a_param_that_only_some_choices_have_goes_to_those():
    both = asked("optimizer=adam,sgd", "optimizer.momentum=0.9", "epochs=3")
    assert both.fixed == ["epochs=3"]
    assert words_of(both.space, {"optimizer": "adam", "optimizer.momentum": 0.9}) == [
        "optimizer=adam"
    ]
    assert words_of(both.space, {"optimizer": "sgd", "optimizer.momentum": 0.9}) == [
        "optimizer=sgd",
        "optimizer.momentum=0.9",
    ]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("batch_size=interval(16,256)", "int"),
        (f"{RATE}=interval(1,2)", "float"),
        (f"{RATE}=int(interval(1,3))", "int"),
        ("epochs=range(1,4)", "choice"),
        ("seed=shuffle(3,1,2)", "choice"),
    ],
)
def test_kinds_of_dimension(word, kind):
    (one,) = space_of(word)
    assert one.kind == kind
    if kind == "choice":
        assert one.choices == (1, 2, 3) and one.ordered


def test_a_component_is_one_choice_by_whichever_of_its_names():
    assert space_of("optimizer=adam,Adam,sgd")["optimizer"].choices == ("adam", "sgd")
    loader = SimpleNamespace(get_group_options=lambda *_, **__: ["Adam", "adam", "adamw", "sgd"])
    with reading_what_is_typed(multirun=True):
        overrides = OverridesParser.create(loader).parse_overrides(["optimizer=glob(*)"])
    found = asked_of(overrides, SearchSettings(), lambda fixed: config_of(*fixed), load())
    assert found.space["optimizer"].choices == ("Adam", "adamw", "sgd")


def test_what_needs_a_program_of_its_own():
    words = (
        "batch_size=16,32",
        "seed=1,2",
        "epochs=1,2",
        "split.val=0.1,0.2",
        "architecture.units=[8],[9]",
        "optimizer.beta_1=0.8,0.9",
        "optimizer.amsgrad=true,false",
        "regularizer.dropout.rate=0,0.2",
        "regularizer.l2.strength=interval(0,1e-3)",
        "+note=a,b",
    )
    structural = {one.name for one in space_of(*words) if one.structural}
    assert structural == {
        "batch_size",
        "split.val",
        "architecture.units",
        "optimizer.amsgrad",
        "regularizer.dropout.rate",
        "+note",
    }


def test_one_value_is_fixed():
    one = asked("optimizer=sgd,sgd", "optimizer.momentum=interval(0.9,0.9)", "seed=1,2")
    assert sorted(one.fixed) == ["optimizer.momentum=0.9", "optimizer=sgd"]
    assert [dimension.name for dimension in one.space] == ["seed"]


def test_the_space_of_a_preset_gives_way_to_the_command_line():
    space = {
        "optimizer": {
            "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
            "beta_1": "0.8,0.9",
        },
        "architecture.units": [[64], [64, 64]],
        "epochs": 3,
    }
    given_all = asked(space=space)
    assert given_all.fixed == ["epochs=3"]
    assert given_all.space[RATE] == Dimension(RATE, "float", 1e-4, 0.1, log=True)
    assert given_all.space["optimizer.beta_1"].choices == (0.8, 0.9)
    fewer = asked(f"{RATE}=0.01,0.02", "optimizer.beta_1=0.5", space=space)
    assert fewer.space[RATE].choices == (0.01, 0.02)
    assert "optimizer.beta_1" not in [one.name for one in fewer.space]
    assert "optimizer.beta_1=0.5" in fewer.fixed


def test_params_count_under_the_presets_whose_components_have_them():
    space = space_of("experiment=digits_mlp,mnist_cnn", "architecture.padding=same,valid")
    assert space["architecture.padding"].only_if == {"experiment": ("mnist_cnn",)}


def test_auto_is_whatever_the_components_in_question_declare():
    every = space_of("regularizer=[l2],[l2,dropout]", "optimizer=adam,sgd", space="auto")
    by_name = {one.name: one for one in every}
    assert by_name[RATE] == Dimension(RATE, "float", 1e-4, 1e-1, log=True)
    assert by_name["optimizer.momentum"].only_if == {"optimizer": ("sgd",)}
    assert by_name["optimizer.beta_1"].only_if == {"optimizer": ("adam",)}
    assert by_name["regularizer.dropout.rate"].only_if == {"regularizer": (("l2", "dropout"),)}
    assert (64, 64) in by_name["architecture.units"].choices
    assert by_name["batch_size"].choices == (16, 32, 64, 128, 256)


def test_a_space_on_the_command_line_is_a_setting_in_the_grammar_of_sweeps():
    config, _ = compose(
        [
            "search.space={optimizer.learning_rate: tag(log, interval(1e-4, 1e-1)), "
            "optimizer: choice(adam,sgd), batch_size: [16,32], "
            "regularizer: {dropout: {rate: {low: 0, high: 0.5}}}}"
        ]
    )
    space = space_of(space=config.settings.search.space)
    assert {one.name: (one.kind, one.log, one.choices) for one in space} == {
        "optimizer": ("choice", False, ("adam", "sgd")),
        RATE: ("float", True, ()),
        "batch_size": ("choice", False, (16, 32)),
        "regularizer.dropout.rate": ("float", False, ()),
    }


PRESET = """\
# @package _global_
search:
  space:
    optimizer.learning_rate: tag(log, interval(1e-4, 1e-1))
    regularizer:
      dropout:
        rate: {low: 0, high: 0.5}
"""


def test_the_space_of_a_preset_is_added_to_or_replaced(tmp_path, monkeypatch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(PRESET)
    monkeypatch.chdir(tmp_path)

    def names(*words):
        config, _ = compose(["experiment=mine", *words])
        return {one.name for one in space_of(space=config.settings.search.space)}

    both = {RATE, "regularizer.dropout.rate"}
    assert names() == both
    assert names("search.space={epochs: [1,2]}") == both | {"epochs"}
    assert names("search.space=auto:architecture") == {
        "architecture.units",
        "architecture.activation",
    }


@pytest.mark.parametrize("multirun", [False, True])
def test_the_kinds_of_auto_are_no_sweep(multirun):
    with reading_what_is_typed(multirun):
        parse = OverridesParser.create().parse_override
        word = parse("search.space=auto:optimizer,regularizer")
        assert not word.is_sweep_override()
        assert word.value() == "auto:optimizer,regularizer"
        assert parse("search.space=null").value() is None


def test_auto_of_some_kinds_and_without_what_is_given():
    some = space_of(space="auto:optimizer,regularizer")
    assert {one.name for one in some} == {
        RATE,
        "optimizer.beta_1",
        "regularizer.l2.strength",
        "regularizer.dropout.rate",
    }
    less = asked(f"{RATE}=0.01", "optimizer.beta_1=0.8,0.9", space="auto:optimizer")
    assert less.fixed == [f"{RATE}=0.01"]
    assert [one.choices for one in less.space] == [(0.8, 0.9)]


def test_every_value_that_a_built_in_param_declares_is_one_that_it_may_have():
    for component in load().components.values():
        kind, params = component.kind, {param.name: param for param in component.params}
        for name, param in params.items():
            if (search := search_of(param.annotation)) is None:
                continue
            model = model_of(name, [param])
            for value in search.values or (search.low, search.high):
                check(model, {name: value}, kind.key)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([f"{RATE}=interval(1,0.1)"], "the wrong way round"),
        ([f"{RATE}=tag(log,interval(0,1))"], "above 0"),
        ([f"{RATE}=interval(0,1)"], f"{RATE}=0.0 is not valid: input should be greater than 0"),
        (["regularizer.dropout.rate=interval(0,1)"], "less than 1"),
        (["batch_size=interval(1.5,8)"], "valid integer"),
        ([f"{RATE}=tag(lgo,interval(0.1,1))"], "no 'lgo'"),
        ([f"{RATE}=tag(log,choice(0.1,1))"], "log is for an interval"),
        (["optimizer=sgd", "optimizer.nesterov=interval(0,1)"], "optimizer.nesterov=true,false"),
        (["optimizer=adam,sdg"], "did you mean 'sgd'"),
        (["optimizer=interval(1,2)"], "optimizer takes names, and no interval"),
        (["optimizer=adam,sgd", "optimizer.momentun=0,0.9"], "did you mean 'momentum'"),
        (["optimizer.momentum=0,0.9"], "adam has no param 'momentum'"),
        (["regularizer.batch_norm.momentum=0,0.9"], "add it with regularizer=[batch_norm]"),
        (["epoks=1,2"], "did you mean 'epochs'"),
        (["split.vall=0.1,0.2"], "did you mean 'val'"),
        (["search.trials=1,2"], "search.trials cannot be searched"),
        (["seed=range(100000)"], "give an interval"),
        (["class_weight={a:1},{a:2}"], "not from groups of keys"),
        (["epochs=3"], "nothing to vary"),
        ([f"{RATE}=interval(0.1,inf)"], "two bounds that are numbers"),
    ],
)
def test_what_is_wrong_with_words_is_said_in_a_sentence(words, sentence):
    assert sentence in refused(*words)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({RATE: {"low": 1}}, "{low: 1e-4, high: 1e-1}"),
        ({RATE: {"low": "a", "high": 1}}, "low=a is not valid: give a number"),
        ({RATE: {"low": 2, "high": 1}}, "the wrong way round"),
        ({RATE: []}, "nothing to choose from"),
        ({RATE: "[1"}, "a bracket is not closed"),
        ({"optimizer": [1, 2]}, "optimizer takes names"),
        ("aut", "search.space=aut is not valid"),
        ("auto:optimizr", "did you mean 'optimizer'"),
    ],
)
def test_what_is_wrong_with_search_space_is_said_in_a_sentence(space, sentence):
    assert sentence in refused(space=space)


PLACE = st.floats(0, 1)
EVERYTHING = (
    *ISSUE,
    "batch_size=interval(16,256)",
    "architecture.activation=relu,gelu",
    "optimizer.clipnorm=null,0.5",
    "optimizer.nesterov=true,false",
    '+note=plain,"a, b",true,"true",\'say "x"\',1e5,"1e5"',
)


@functools.cache
def everything() -> Space:
    return space_of(*EVERYTHING)


@settings(max_examples=8)
@given(st.lists(PLACE, min_size=11, max_size=11))
@pytest.mark.slow
def test_the_words_of_a_configuration_compose_to_its_values(places):
    space = everything()
    params = space.params(places)
    words = words_of(space, params)
    assert [word.partition("=")[0] for word in words] == list(params)
    with reading_what_is_typed(multirun=True):  # no word may look like several
        assert not any(
            one.is_sweep_override() for one in OverridesParser.create().parse_overrides(words)
        )
    body = compose(words)[0].plain()
    for name, value in params.items():
        composed: Any = body
        for part in name.removeprefix("+").split("."):
            composed = composed[part]
        if name == "regularizer":
            assert set(composed) == set(value)
        elif name == "optimizer":
            assert composed["name"] == value
        else:
            plain = json.loads(json.dumps(value))
            assert composed == plain and isinstance(composed, bool) == isinstance(plain, bool)

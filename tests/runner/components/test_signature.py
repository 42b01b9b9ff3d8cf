"""Signature to config and back: types, ranges, sentences, and what the help shows."""

from __future__ import annotations

import enum
import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.components.search_types import Search
from runner.components.signature import check, model_of, node_of, params_of, plain
from runner.errors import ConfigError, PluginError


class Side(enum.Enum):
    LEFT = 1
    RIGHT = 2


@dataclass
class Block:
    filters: int
    kernel: Annotated[int, Ge(1)] = 3
    pool: bool = True


def everything(
    outputs: int,
    *,
    flag: bool = False,
    count: int = 3,
    rate: float = 0.5,
    text: str = "a b",
    side: Side = Side.LEFT,
    mode: Literal["fast", "slow"] = "slow",
    few: Literal[1, 2, 4] = 2,
    maybe: int | None = None,
    limit: float | None = 1.5,
    widths: list[int] = [64, 32],  # noqa: B006 - what plugin authors write
    names: Sequence[str] = (),
    block: Block = Block(8),  # noqa: B008
    blocks: Sequence[int | Block] = (4, Block(8, pool=False)),
    path: Path = Path("data/x.npz"),
    share: Annotated[float, Ge(0), Lt(1)] = 0.2,
    either: int | str = "auto",
) -> None: ...


PARAMS = params_of(everything)
MODEL = model_of("everything", PARAMS)


def composed(**overrides: Any) -> dict[str, Any]:
    """The values as they come out of a composed config with these overrides."""
    node = OmegaConf.structured(node_of("everything", PARAMS))
    merged = OmegaConf.merge(node, OmegaConf.create(overrides))
    return check(MODEL, OmegaConf.to_container(merged, resolve=True), "place")


def test_a_config_without_overrides_gives_the_defaults_of_the_signature():
    defaults = {p.name: p.default for p in PARAMS}
    got = composed()
    assert {k: v for k, v in got.items() if k not in ("names", "blocks")} == {
        k: v for k, v in defaults.items() if k not in ("names", "blocks")
    }
    assert list(got["names"]) == []
    assert list(got["blocks"]) == [4, Block(8, pool=False)]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("flag", "true", True),
        ("flag", True, True),
        ("count", 7, 7),
        ("count", "7", 7),
        ("rate", 1, 1.0),
        ("rate", "1e-3", 0.001),
        ("text", 5, "5"),
        ("side", "RIGHT", Side.RIGHT),
        ("mode", "fast", "fast"),
        ("few", 4, 4),
        ("maybe", 3, 3),
        ("maybe", None, None),
        ("limit", None, None),
        ("widths", [1, 2, 3], [1, 2, 3]),
        ("widths", [], []),
        ("block", {"filters": 2}, Block(2)),
        ("block", {"pool": False}, Block(8, pool=False)),
        ("block", {"filters": 2, "pool": False, "kernel": 5}, Block(2, 5, False)),
        ("blocks", [1, {"filters": 2}], [1, Block(2)]),
        ("path", "~/x", Path("~/x")),
        ("share", 0, 0.0),
        ("either", 3, 3),
        ("either", "three", "three"),
    ],
)
def test_an_override_becomes_what_the_signature_says(name, given, value):
    got = composed(**{name: given})[name]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("flag", "perhaps"),
        ("count", "abc"),
        ("count", 1.5),
        ("rate", "fast"),
        ("side", "MIDDLE"),
        ("widths", "wide"),
        ("widths", ["a"]),
        ("mode", "medium"),
        ("few", 3),
        ("maybe", "x"),
        ("block", {"filters": "x"}),
        ("blocks", [{"kernel": 3}]),
        ("blocks", [{"filters": 1, "kernel": 0}]),
        ("share", 1),
        ("share", -0.1),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("nosuch", 1),
    ],
)
def test_a_wrong_value_is_refused(name, given):
    with pytest.raises((ConfigError, OmegaConfBaseException)):
        composed(**{name: given})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count": "abc"}, "place.count=abc is not valid: input should be a valid integer"),
        ({"share": 1}, "place.share=1 is not valid: input should be less than 1"),
        ({"mode": "medium"}, "place.mode=medium is not valid: input should be 'fast' or 'slow'"),
        ({"widths": [1, "x"]}, r"place.widths.1=x is not valid"),
        ({"nosuch": 1}, "place has no param 'nosuch'"),
        ({"cuont": 1}, "did you mean 'count'"),
        ({"rate": math.nan}, "place.rate=nan is not valid: input should be a finite number"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_place_and_value(values, said):
    with pytest.raises(ConfigError, match=said) as told:
        check(MODEL, values, "place")
    assert "\n" not in str(told.value)


def test_help_shows_name_type_range_and_default():
    shown = {p.name: p.describe() for p in PARAMS}
    assert shown["flag"] == "flag: bool = false"
    assert shown["maybe"] == "maybe: int|null = null"
    assert shown["mode"] == "mode: fast|slow = slow"
    assert shown["side"] == "side: LEFT|RIGHT = LEFT"
    assert shown["share"] == "share: float >= 0 < 1 = 0.2"
    assert shown["widths"] == "widths: list[int] = [64,32]"
    assert shown["path"] == "path: Path = data/x.npz"
    assert shown["block"] == "block: Block = {filters:8,kernel:3,pool:true}"


def test_help_shows_the_values_worth_trying():
    def tried(
        *,
        rate: Annotated[float, Ge(0), Search(1e-4, 1e-1, log=True)] = 0.1,
        units: Annotated[Sequence[int], Search(values=((64,), (64, 64)))] = (64,),
        limit: Annotated[float | None, Search(0.5, 2)] = None,
    ): ...

    rate, units, limit = params_of(tried)
    assert rate.describe() == "rate: float >= 0 (search 0.0001 to 0.1 log) = 0.1"
    assert units.describe() == "units: list[int] (search [64]|[64,64]) = [64]"
    assert limit.describe() == "limit: float|null (search 0.5 to 2) = null"


def test_only_what_stands_after_the_star_is_a_param():
    assert "outputs" not in [p.name for p in PARAMS]


def test_a_param_without_type_is_named():
    def bad(*, width=3): ...

    with pytest.raises(PluginError, match="'width' has no type"):
        params_of(bad)


def test_a_param_without_default_is_required():
    def need(*, width: int): ...

    (param,) = params_of(need)
    assert param.required
    assert param.describe() == "width: int"
    with pytest.raises(ConfigError, match=r"place\.width has no default"):
        check(model_of("need", [param]), {}, "place")


def test_params_may_have_the_names_of_pydantic_s_own():
    def odd(*, copy: int = 1, json: str = "x", model_config: int = 2, schema: bool = True): ...

    params = params_of(odd)
    got = check(model_of("odd", params), {"copy": 5}, "place")
    assert got == {"copy": 5, "json": "x", "model_config": 2, "schema": True}


def test_types_that_only_a_type_checker_imports_do_not_matter_before_the_star():
    def typed(model, *, width: int = 1): ...

    typed.__annotations__["model"] = "keras.Model"
    typed.__annotations__["width"] = "int"
    assert [p.annotation for p in params_of(typed)] == [int]


def test_a_default_is_not_shared_between_configs():
    first, second = composed(), composed()
    first["widths"].append(99)
    assert composed()["widths"] == second["widths"] == [64, 32]


finite = st.floats(allow_nan=False, allow_infinity=False)
TYPES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: finite,
    str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$\\"), max_size=12),
    Side: st.sampled_from(Side),
    Path: st.sampled_from([Path("a"), Path("/b/c.npz"), Path("~/x y")]),
    Literal["fast", "slow"]: st.sampled_from(["fast", "slow"]),
    Literal[1, 2, 4]: st.sampled_from([1, 2, 4]),
    int | None: st.none() | st.integers(-1000, 1000),
    float | None: st.none() | finite,
    list[int]: st.lists(st.integers(-1000, 1000), max_size=4),
    list[float]: st.lists(finite, max_size=4),
    Block: st.builds(Block, st.integers(1, 9), st.integers(1, 9), st.booleans()),
    list[Block]: st.lists(st.builds(Block, st.integers(1, 9)), max_size=3),
    Annotated[float, Gt(0), Le(1)]: st.floats(0, 1, exclude_min=True),
}


@st.composite
def signatures(draw: st.DrawFn) -> tuple[inspect.Signature, dict[str, Any], dict[str, Any]]:
    """A signature, its defaults, and values for some of its params."""
    types = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=6))
    defaults = {f"p{i}": draw(TYPES[kind]) for i, kind in enumerate(types)}
    values = {f"p{i}": draw(TYPES[kind]) for i, kind in enumerate(types) if draw(st.booleans())}
    params = [
        inspect.Parameter(f"p{i}", inspect.Parameter.KEYWORD_ONLY, default=d, annotation=kind)
        for i, (kind, d) in enumerate(zip(types, defaults.values(), strict=True))
    ]
    return inspect.Signature(params), defaults, values


def function_with(signature: inspect.Signature) -> Any:
    def function(**params: Any) -> Any: ...

    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return function


@pytest.mark.slow
@given(signatures())
def test_any_signature_gives_a_config_that_gives_its_values_back(drawn):
    signature, defaults, values = drawn
    params = params_of(function_with(signature))
    model, node = model_of("drawn", params), OmegaConf.structured(node_of("drawn", params))
    as_written = OmegaConf.create({name: plain(value) for name, value in values.items()})
    merged = OmegaConf.merge(node, as_written)
    got = check(model, OmegaConf.to_container(merged, resolve=True), "place")
    assert got == defaults | values


@pytest.mark.slow
@given(signatures())
def test_any_config_survives_yaml(drawn):
    signature, defaults, values = drawn
    params = params_of(function_with(signature))
    node = OmegaConf.structured(node_of("drawn", params))
    for name, value in values.items():
        node[name] = plain(value)
    again = OmegaConf.merge(
        OmegaConf.structured(node_of("drawn", params)), OmegaConf.create(OmegaConf.to_yaml(node))
    )
    got = check(model_of("drawn", params), OmegaConf.to_container(again), "place")
    assert got == defaults | values

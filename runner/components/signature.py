"""From a function's signature to its params: typed Hydra node, checked values, help text.

A component's signature is the only place that states its hyperparameters. This file derives the
rest: a dataclass for Hydra (OmegaConf's types, so that composition already rejects most
mistakes) and a pydantic model for what OmegaConf cannot say: Literal, unions, ranges given as
`Annotated[float, annotated_types.Gt(0)]`.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
from omegaconf import MISSING, BooleanNode, DictConfig, FloatNode, IntegerNode, StringNode

from runner.components.passwords import without_password
from runner.components.search_types import Search
from runner.components.types import Place, RunWeights
from runner.errors import ConfigError, PluginError, choices

Model = type[pydantic.BaseModel]
SCALARS: dict[Any, Any] = {
    bool: BooleanNode,
    int: IntegerNode,
    float: FloatNode,
    str: StringNode,
}
NOT_A_LIST = ("list_type", "tuple_type", "sequence_str", "is_instance_of")
NOT_A_GROUP = ("dataclass_type", "dict_type", "model_type")
"""Pydantic's names for what its own words would not tell a person at a command line."""
MANY = 8
"""A type with more choices than these is shortened in the help."""
PLAIN = (bool, int, float, str, bytes, Path)
STRICT = pydantic.ConfigDict(
    extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=()
)


@dataclasses.dataclass(frozen=True)
class Param:
    """One keyword-only argument of a component."""

    name: str
    annotation: Any
    default: Any
    """`inspect.Parameter.empty` where the config must give a value."""

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def is_place(self) -> bool:
        """Whether its value says where something lies, not what it is."""
        return any(isinstance(mark, Place) for mark in typing.get_args(self.annotation)[1:])

    def describe(self) -> str:
        """`name: type = default`, as the help shows it."""
        tail = "" if self.required else f" = {_show(plain(self.default))}"
        return f"{self.name}: {type_name(self.annotation)}{tail}"


def params_of(function: Callable[..., Any]) -> list[Param]:
    """The keyword-only arguments of a function; PluginError where one has no usable type."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        # Types of what the runner offers may be imported for type checkers only.
        hints = _hints_of_params(function, error)
    params = []
    for param in inspect.signature(function).parameters.values():
        if param.kind is not param.KEYWORD_ONLY:
            continue
        if param.name not in hints:
            raise PluginError(
                f"the param '{param.name}' has no type: annotate it, as in "
                f"`{param.name}: float = 0.1`"
            )
        params.append(Param(param.name, hints[param.name], param.default))
    return params


def _hints_of_params(function: Callable[..., Any], error: NameError) -> dict[str, Any]:
    """The hints of the keyword-only arguments alone."""
    bare = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
    )
    kept = {
        param.name
        for param in inspect.signature(function).parameters.values()
        if param.kind is param.KEYWORD_ONLY
    }
    bare.__annotations__ = {k: v for k, v in function.__annotations__.items() if k in kept}
    try:
        return typing.get_type_hints(bare, include_extras=True)
    except NameError:
        raise PluginError(f"a param's type is unknown: {error}") from error


def model_of(name: str, params: Sequence[Param]) -> Model:
    """The pydantic model that checks and converts values of the params."""
    fields: dict[str, Any] = {
        # An alias keeps names such as `copy` or `json` from shadowing pydantic's own.
        f"p_{p.name}": (
            p.annotation,
            pydantic.Field(... if p.required else p.default, alias=p.name, validate_default=True),
        )
        for p in params
    }
    return pydantic.create_model(name, __config__=STRICT, **fields)


def check(model: Model, values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The values converted to what the signature says; ConfigError names the first wrong one.

    place: where the values stand in the config, such as `optimizer`.
    """
    try:
        checked = model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise ConfigError(_sentence(error, model, place)) from None
    return {name.removeprefix("p_"): value for name, value in checked}


def _sentence(error: pydantic.ValidationError, model: Model, place: str) -> str:
    """One sentence about the first thing that is wrong."""
    errors = error.errors()
    same = [one for one in errors if one["loc"][:1] == errors[0]["loc"][:1]]
    first = max(same, key=lambda one: len(one["loc"]))
    name = ".".join(str(part) for part in (place, *_names(first["loc"], model)) if part != "")
    if first["type"] == "missing":
        return f"{name} has no default: give {name}=<value>"
    if first["type"] == "extra_forbidden":
        known = [field.alias or "" for field in model.model_fields.values()]
        wrong = str(first["loc"][-1])
        return f"{place} has no param '{wrong}': {choices(wrong, known)}"
    if first["type"] == "unexpected_keyword_argument" and len(first["loc"]) > 1:
        param, *_, wrong = map(str, first["loc"])
        field = next(f for f in model.model_fields.values() if f.alias == param)
        group = next(filter(dataclasses.is_dataclass, _types_in(field.annotation)), None)
        if group is not None:
            known = [one.name for one in dataclasses.fields(group)]
            return f"{name.rpartition('.')[0]} has no key '{wrong}': {choices(wrong, known)}"
    if first["type"] in NOT_A_LIST:
        # Text is a Sequence to Python, and none to who wants a list.
        kind = "a list, a Sequence" if first["type"] == "sequence_str" else "a list"
        shown = _show(first["input"])
        return f"{name}={shown} is not {kind}: give {name}=[{shown}]"
    if first["type"] in NOT_A_GROUP:
        return (
            f"{name}={_show(first['input'])} is not valid: give its keys one by one, {name}.<key>="
        )
    reason = first["msg"].removeprefix("Value error, ")
    return f"{name}={_show(first['input'])} is not valid: {reason[0].lower()}{reason[1:]}"


def _types_in(annotation: Any) -> Iterator[Any]:
    """The type and those that it is made of."""
    yield annotation
    for inner in typing.get_args(annotation):
        yield from _types_in(inner)


def _names(location: Sequence[int | str], model: Model) -> Sequence[int | str]:
    """The names on the way to a value, without pydantic's own for the members of a union."""
    for annotation in (
        f.annotation for f in model.model_fields.values() if f.alias == location[0]
    ):
        return [location[0], *_names_in(annotation, location[1:])]
    return location


def _names_in(annotation: Any, location: Sequence[int | str]) -> Sequence[int | str]:
    """The same inside of a value of this type."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if not location:
        return ()
    if origin in (typing.Union, types.UnionType):
        members = [arg for arg in args if arg is not type(None)]
        if len(members) == 1:
            return _names_in(members[0], location)
        tag = str(location[0])
        member = next((one for one in members if tag.startswith(_tag(one))), None)
        return _names_in(member, location[1:])
    if origin is dict:
        return [location[0], *_names_in(args[1], location[1:])]
    return location


def _tag(annotation: Any) -> str:
    """How pydantic's name for a member of a union begins."""
    return str(getattr(typing.get_origin(annotation) or annotation, "__name__", "")).lower()


def node_of(title: str, params: Sequence[Param], /, **constants: str) -> type:
    """A dataclass for Hydra's ConfigStore; `constants` are text fields that come first."""
    fields: list[Any] = [
        (key, str, dataclasses.field(default=value)) for key, value in constants.items()
    ]
    for param in params:
        default = MISSING if param.required else plain(param.default)
        make: Any = (
            dataclasses.field(default_factory=functools.partial(copy.deepcopy, default))
            if isinstance(default, list | dict)
            else dataclasses.field(default=default)
        )
        fields.append((param.name, _node_type(param.annotation), make))
    # Only its fields are read: methods would be compiled for nothing, and for every component.
    return dataclasses.make_dataclass(title, fields, init=False, repr=False, eq=False)


def open_node_of(params: Sequence[Param]) -> DictConfig:
    """Typed keys for Hydra like `node_of`, to which users may add keys (`+key=value`)."""
    nodes: dict[str, Any] = {}
    for param in params:
        kind, value = _node_type(param.annotation), plain(param.default)
        optional = param.default is None
        make = SCALARS.get(next(iter(typing.get_args(kind)), kind))
        nodes[param.name] = value if make is None else make(value=value, is_optional=optional)
    return DictConfig(nodes)


def _node_type(annotation: Any) -> Any:
    """The nearest type that OmegaConf understands; Any where it has none."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _node_type(args[0])
    if annotation in PLAIN or (inspect.isclass(annotation) and issubclass(annotation, enum.Enum)):
        return annotation
    if origin is typing.Literal and all(isinstance(arg, str) for arg in args):
        return str
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        node = _node_type(inner[0]) if len(inner) == 1 else Any
        return node | None if len(inner) < len(args) and node is not Any else node
    # Lists and nested dataclasses are left to pydantic: OmegaConf would refuse some of them,
    # and merges a list's element types in ways that hide the sentence.
    return Any


def plain(value: Any) -> Any:
    """The value as JSON and YAML can say it."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Path | RunWeights):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def _show(value: Any) -> str:
    """The value as one would type it in an override."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{','.join(_show(item) for item in value)}]"
    return without_password(str(value))


def type_name(annotation: Any) -> str:
    """The type as a reader of the help wants it: no module names, choices spelled out."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is RunWeights:
        return "run:ID"
    if origin is typing.Annotated:
        limits = " ".join(_limit(item) for item in args[1:])
        return " ".join(f"{type_name(args[0])} {limits}".split())
    if origin is typing.Literal:
        names = [_show(arg) for arg in args]
        return "|".join(names if len(names) <= MANY else [*names[:3], "…", names[-1]])
    if origin in (typing.Union, types.UnionType):
        return "|".join("null" if arg is type(None) else type_name(arg) for arg in args)
    if origin is not None:
        inner = ",".join(type_name(arg) for arg in args if arg is not ...)
        several = origin is not str and issubclass(origin, Sequence)
        return f"{'list' if several else origin.__name__}[{inner}]"
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return "|".join(annotation.__members__)
    return getattr(annotation, "__name__", str(annotation))


def _limit(item: Any) -> str:
    """One mark of Annotated, such as Gt(0), as `> 0`."""
    if isinstance(item, Search):
        return f"(search {_worth_trying(item)})"
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    if not dataclasses.is_dataclass(item):
        return ""
    limits = ((f.name, getattr(item, f.name)) for f in dataclasses.fields(item))
    return " ".join(f"{signs[name]} {value}" for name, value in limits if name in signs)


def _worth_trying(search: Search) -> str:
    """The values that a param says to be worth trying, as `_limit` shows them."""
    if search.values:
        return "|".join(_show(value) for value in search.values)
    return f"{search.low:g} to {search.high:g}{' log' if search.log else ''}"

"""A YAML file as Hydra loads it, its keys with the lines on which they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf._utils import get_yaml_loader

from runner.errors import ConfigError

Node = Any
"""A node of PyYAML's: a scalar, a sequence or a mapping."""


class YamlFile:
    """Reads one file; ConfigError names it and the line of what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self.text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, ValueError) else error.strerror
            raise ConfigError(f"{file} cannot be read: {reason}") from error
        if self.text.startswith("\ufeff"):
            raise self.error(0, "it begins with a byte order mark: save it without one")

    def root(self) -> Node:
        """The document's node; None where the file is empty."""
        try:
            return yaml.compose(self.text, Loader=get_yaml_loader())
        except yaml.MarkedYAMLError as error:
            raise self.error(error.problem_mark.line, _problem(error)) from error

    def pairs(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """The keys and values of a mapping; ConfigError where a key comes twice."""
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from self.pairs(one)
                continue
            if key.value in seen:
                raise self.error(key, f"the key '{key.value}' comes twice")
            seen.add(key.value)
            yield key, value

    def error(self, place: Any, reason: str) -> ConfigError:
        """place: a node, or the number of a line counted from 0."""
        line = place if isinstance(place, int) else place.start_mark.line
        return ConfigError(f"{self.file}, line {line + 1}: {reason}")


def _problem(error: yaml.MarkedYAMLError) -> str:
    """YAML's complaint in words that say what to do."""
    if "'\\t'" in str(error.problem):
        return "a tab, where YAML wants spaces"
    problem = str(error.problem)
    if "mapping values are not allowed" in problem:
        return "a key stands too far to the right, or a text with `: ` in it needs quotes"
    return f"it is no YAML: {problem}"


def plain(node: Node) -> Any:
    """The value of a node, as Hydra would load it."""
    return None if node is None else get_yaml_loader()("").construct_document(node)

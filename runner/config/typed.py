"""The words of a command line: odd ones are refused before Hydra sees them."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, Sweep
from hydra.errors import HydraException

from runner.backend.hydra_private import complaint_about, option_names, separate
from runner.components.kinds import KINDS
from runner.components.registry import load
from runner.config.folders import presets
from runner.config.sentences import explain
from runner.config.settings import NAMES
from runner.config.ties import is_tie, meant_as_tie, words_inside
from runner.config.words import takes_fractions, takes_lists, takes_text
from runner.errors import ConfigError, choices

MULTIRUN = ("-m", "--multirun")
COMPLETION = re.compile(r"(install|uninstall|query)=(bash|fish|zsh)")
GROUP = re.compile(r"\+{0,2}(hydra(?:/[\w/-]+)?)(?:@[\w.]*)?", re.ASCII)
"""A group of Hydra's own, in the place of a key."""
PLAIN = re.compile(r"\+{0,2}\w+(\.\w+)*=[\w.+-]{1,18}", re.ASCII)
"""A value in which nothing can be wrong that Hydra would not say itself."""
NEAR = 0.75
"""How like one of ours a key of the user's own may not be."""
OF_TRAINING = ("architecture", "optimizer", "schedule", "regularizer")
"""Kinds whose params no key of the user's own may have for a name: it would have no effect."""
KEY = re.compile(r"(\+\+?|~)?[\w$-]+([./@][\w$-]+)*", re.ASCII)
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
"""Signs into which text processors turn a hyphen."""
QUOTES = dict.fromkeys(map(ord, "\u2018\u2019\u201a"), "'") | dict.fromkeys(
    map(ord, "\u201c\u201d\u201e"), '"'
)
"""Signs into which they turn quotes, with those that were typed."""


def is_multirun(words: Sequence[str]) -> bool:
    """Whether the words ask for a run for each value."""
    return any(word in MULTIRUN or word.upper() == "HYDRA.MODE=MULTIRUN" for word in words)


def separated(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's options with their values, and the overrides; ConfigError for an odd option."""
    options, overrides, unknown = separate(words)
    if unknown:
        raise ConfigError(_unknown_option(unknown[0], words))
    if {"-r", "--run"} & set(options) and set(MULTIRUN) & set(options):
        raise ConfigError("--run trains one run and --multirun many: give one of them")
    if complaint := complaint_about(options):
        raise ConfigError(f"{complaint} (try --hydra-help)")
    if {"--shell-completion", "-sc"} & set(options):
        _refuse_odd_completion(overrides)
    return options, overrides


def _refuse_odd_completion(words: Sequence[str]) -> None:
    """Raise ConfigError for words of --shell-completion other than Hydra's, one of them."""
    asked = [COMPLETION.fullmatch(word) for word in words]
    if len(asked) != 1 or asked[0] is None:
        raise ConfigError(
            "--shell-completion takes install=SHELL or uninstall=SHELL, where SHELL is bash, fish "
            "or zsh: see --hydra-help"
        )
    if asked[0][1] == "query" and "COMP_LINE" not in os.environ:
        raise ConfigError(
            "--shell-completion query=SHELL is for a shell that completes a line, and there is "
            "none (COMP_LINE): type install=SHELL"
        )


def value_of(options: Sequence[str], *names: str) -> str | None:
    """The value that an option is given by one of its names, the last one."""
    value = None
    for option, following in zip(options, [*options[1:], ""], strict=False):
        name, equals, behind = option.partition("=")
        if name in names:
            value = behind if equals else following
    return value


def refuse_odd_words(words: Sequence[str], multirun: bool) -> None:
    """Raise ConfigError for overrides that Hydra would misunderstand, or riddle about.

    words: overrides, and no options.
    """
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if is_tie(word):
            _refuse_odd_tie(word, multirun)
            continue
        key, equals, _ = word.partition("=")
        if not equals and not word.startswith("~"):
            raise ConfigError(
                meant_as_tie(word)
                or meant_as_override(word, following)
                or f"{word} is not valid: an override is key=value, such as epochs=5 (try --help)"
            )
        if not key.lstrip("+~"):
            raise ConfigError(f"{word} is not valid: an override is key=value, such as epochs=5")
        is_group = key.lstrip("+") in {"experiment", *(kind.key for kind in KINDS.values())}
        if is_group and key.startswith("+"):
            raise ConfigError(
                f"{word} is not valid: {key.lstrip('+')} needs no +; type "
                f"{_typed(word.lstrip('+'))}"
            )
        if key.startswith("+"):
            _refuse_near_names(word, key.lstrip("+").partition(".")[0])
        if PLAIN.fullmatch(word) and not is_group and key != "hydra":
            continue
        override = _parsed(word)
        if is_group and equals:
            _refuse_odd_names(word, override)
        if GROUP.fullmatch(key) and equals and not _is_names(override.value(), several=False):
            raise ConfigError(f"{word} is not valid: {key.lstrip('+')} takes one name")
        if override.is_sweep_override() and not multirun:
            raise ConfigError(_needs_multirun(word, override))


def asked_presets(overrides: Sequence[str]) -> list[str]:
    """The presets that overrides name, in a sweep all of them."""
    names: list[str] = []
    for word in [inner for one in overrides for inner in (one, *words_inside(one))]:
        if word.startswith("experiment="):
            value = _parsed(word).value()
            values = value.list if isinstance(value, ChoiceSweep) else [value]
            names += [one for one in values if isinstance(one, str)]
    return names


def meant_as_override(word: str, following: str = "") -> str:
    """The sentence for a word without `=` that nearly is an override; empty for others.

    following: the word behind it.
    """
    if word[:1] and word[0] in DASHES:
        bare = word.lstrip(DASHES)
        meant = ("-" if len(bare) == 1 else "--") + bare
        return f"{word} is not valid: it begins with a dash that is no hyphen; type {meant}"
    key, colon, value = word.partition(":")
    if not _is_key(key):
        return ""
    if not colon:
        value = following.lstrip("= ")
    meant = _typed(f"{key}={value}") if value and "=" not in value else f"{key}=<value>"
    return f"{word} is not valid: an override is key=value without spaces; type {meant}"


def _refuse_odd_tie(word: str, multirun: bool) -> None:
    """The same for zip and join, and for what stands inside of them."""
    name, _, call = word.partition("=")
    if call.startswith("zip") and (_is_key(name) or name == "experiment"):
        raise ConfigError(
            f"{word} is not valid: {name} is a key, and zip pairs several; type zip({name},...) "
            f"beside {name}=<value>,<value>"
        )
    refuse_odd_words(words_inside(word), multirun=True)
    if not multirun:
        raise ConfigError(_needs_multirun(word, _parsed(word)))


def _parsed(word: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        if word[0] == word[-1] in "'\"" and len(word) > 2:
            raise ConfigError(
                f"{word} is not valid: its quotes have come with it, which this shell does not "
                f"take for its own; type {word[1:-1]}"
            ) from error
        straight = word.translate(QUOTES)
        if straight != word and (word[0] != straight[0] or word[-1] != straight[-1]):
            raise ConfigError(
                f"{word} is not valid: its quotes are typographic ones; type {straight}"
            ) from error
        key, _, value = word.partition("=")
        if _is_key(key.strip()) and key != key.strip():
            raise ConfigError(
                f"{word} is not valid: no space may stand before =; type "
                f"{_typed(f'{key.strip()}={value.strip()}')}"
            ) from error
        if not KEY.fullmatch(key):
            raise ConfigError(_odd_key(word)) from error
        raise explain(error) from error


def _odd_key(word: str) -> str:
    """The sentence for a key that can be none."""
    key, _, value = word.partition("=")
    head, _, name = key.partition(".")
    if head in NAMES and name:  # those of a dict
        meant = _typed(f"{head}={{{name}:{value}}}")
        return f"{word} is not valid: {name} can be no key by itself; type {meant}"
    return (
        f"{word} is not valid: '{key.lstrip('+~')}' can be no key: keys have letters from a to z, "
        "digits, _ and dots between them"
    )


def _refuse_odd_names(word: str, override: Override) -> None:
    """Raise ConfigError for a group given what is no name; Hydra would end in a traceback."""
    key = override.key_or_group
    kind = next((kind for kind in KINDS.values() if kind.key == key), None)
    several = kind is not None and kind.many
    value = override.value()
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    if not all(_is_names(one, several) for one in values):
        have = [c.name for c in load().of_kind(kind.name)] if kind else presets()
        raise ConfigError(
            f"{word} is not valid: {key} takes {'names' if several else 'one name'}, "
            f"{choices('', have)}"
        )


def _is_names(value: Any, several: bool) -> bool:
    """Whether a group may be given this; a dict is for its params, a glob for its names."""
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value) and (several or len(value) == 1)
    if isinstance(value, str):
        return value != "" and not value.startswith("/") and ".." not in value.split("/")
    return isinstance(value, dict | Glob | Sweep)


def _refuse_near_names(word: str, name: str) -> None:
    """Raise ConfigError for a key of the user's own that looks like one of ours, misspelt."""
    kinds = {kind.key: kind for kind in KINDS.values()}
    if name in NAMES or name in kinds or name == "hydra":
        return
    near = difflib.get_close_matches(name.lower(), [*NAMES, *kinds], n=1, cutoff=NEAR)
    places = (
        f"{component.kind.key}.{f'{component.name}.' if component.kind.many else ''}{name}"
        for component in load().components.values()
        if component.kind.name in OF_TRAINING
        and name in {param.name for param in component.params}
    )
    place = near[0] if near else next(places, None)
    if place is not None:
        raise ConfigError(
            f"{word} is not valid: did you mean '{place}'? A key of your own needs a name that is "
            "not so near"
        )


def _needs_multirun(word: str, override: Override) -> str:
    """The sentence for several values without --multirun, with what may have been meant."""
    key, _, value = word.partition("=")
    others = ""
    if isinstance(swept := override.value(), ChoiceSweep) and swept.simple_form:
        kinds = {kind.key: kind for kind in KINDS.values()}
        if re.fullmatch(r"[+-]?\d*,\d+", value) and takes_fractions(key):
            others = f"; for one number type {key}={value.replace(',', '.')}"
        if takes_lists(key) or (key in kinds and kinds[key].many):
            others += f"; for one list type {_typed(f'{key}=[{value}]')}"
        if takes_text(key):
            quote = '"' if '"' not in value else "'"
            others += f"; for one text type {_typed(f'{key}={quote}{value}{quote}')}"
    return (
        f"{word} gives several values, and only a --multirun has a run for each: type "
        f"-m {_typed(word)}{others}"
    )


def _typed(word: str) -> str:
    """The word as a shell takes it."""
    return shlex.quote(word)


def _unknown_option(word: str, words: Sequence[str]) -> str:
    """The sentence for what looks like an option of Hydra's and is none."""
    name, equals, value = word.lstrip("-").partition("=")
    key = name.replace("-", "_")
    if _is_key(key):
        place = list(words).index(word) + 1
        following = words[place] if place < len(words) else ""
        value = value if equals else following if "=" not in following else ""
        return (
            f"there is no option {word}: an override has no dashes; type "
            f"{_typed(f'{key}={value}') if value else f'{key}=<value>'}"
        )
    return f"there is no option {word}: {choices(f'--{name}', option_names())} (try --hydra-help)"


def _is_key(text: str) -> bool:
    """Whether a text names a key of the config, or begins like one of a component's."""
    head = text.partition(".")[0]
    return text in NAMES or head in {kind.key for kind in KINDS.values()} or text == "experiment"

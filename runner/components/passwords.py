"""Passwords that would be kept: what is printed, logged or recorded must hold none.

A text is read as those read it who would connect with it: libpq's URIs and key=value words,
MySQL's, and what stands in the literals and comments of a query. In doubt it is refused, and
nothing of it is shown.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from runner.errors import PasswordError

_KEY = (
    r"(?:(?:ssl)?(?:password|passwd|pwd)|oauth_client_secret|scram_(?:client|server)_key"
    r"|motherduck_token|s3_(?:secret_access_key|session_token))"
)
_NAMED = re.compile(rf"(?:pg|mysql_?)?{_KEY}", re.I)
"""A param that is called so holds nothing else."""
_ASSIGNED = re.compile(rf"(?<![a-z0-9_]){_KEY}\s*=>?\s*(?!''|\"\")[^\s&;,)]", re.I)
_URI = re.compile(r"([a-z][a-z0-9+.-]{0,63})://", re.I)
_SERVERS = {"postgres", "postgresql", "mysql", "mysqlx", "mariadb"}
_PORTS = re.compile(r"[^:/]*(?::\d*)?(?:,[^:/,]*(?::\d*)?)*/")
"""Hosts with their ports, up to the path."""
_IN_BRACKETS = re.compile(r"\[[0-9a-f:.%]*\]", re.I)
"""An address of IPv6."""
_QUERY = re.compile(
    r"[\s(]*(?:select|from|with|values|table|pivot|unpivot|summarize|describe|show|attach|create"
    r"|copy|call|install|load|set|use|pragma|insert|update|delete|explain|--|/\*)(?![\w=:.])",
    re.I,
)
_PARTS = re.compile(
    r"'(?P<literal>(?:[^']|'')*)'|\$(?P<tag>\w*)\$(?P<dollars>.*?)\$(?P=tag)\$"
    r"|(?P<comment>--[^\n]*|/\*.*?\*/)",
    re.S,
)
_GIVEN = re.compile(rf"(?<![a-z0-9_]){_KEY}\s*(?:=>|:=|\s)\s*'x'", re.I)
"""A literal as an argument or a secret's clause; `password = 'x'` compares a column."""
_SECRET = re.compile(r"\bcreate\b[^;]*?\bsecret\b([^;]*)", re.I)
_CLAUSE = re.compile(r"\b(?:secret|\w*token|connection_string)\s+'x'", re.I)
"""The clauses of a secret of DuckDB's that are none of a server's."""


def refuse_passwords(value: Any, place: str) -> None:
    """Raise PasswordError for a text that holds a password; nothing of the text is shown.

    value: a text, or a config with texts in it. place: where it stands, such as dataset.source.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            refuse_passwords(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_passwords(item, place)
    elif isinstance(value, str) and (holds_password(value) or _is_named(place, value)):
        raise PasswordError(
            f"{_shown(place)} holds a password, and what is asked for is kept for ever: leave it "
            "out and give it by the environment (PGPASSWORD, MYSQL_PWD) or a DuckDB secret"
        )


def refuse_passwords_in_words(words: Sequence[str]) -> None:
    """The same for the words of a command line, before anybody else reads them."""
    before = ""
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or "://" in key:
            key, value = before if before.startswith("--") else "", word
        # As Hydra takes it: in quotes, and with a backslash before what it would act on.
        for text in (_unquoted(value), _unquoted(value).replace("\\", "")):
            refuse_passwords(text, key)
        before = word


def holds_password(text: str) -> bool:
    """Whether a URI, key=value words or a query name a password that is not empty."""
    return _in_query(text) if _QUERY.match(text) else _in_words(text)


def _in_words(text: str) -> bool:
    """Whether there is one in a URI or in key=value words."""
    return bool(_ASSIGNED.search(text) or _ASSIGNED.search(unquote(text))) or any(
        _in_uri(scheme.lower(), rest) for scheme, rest in _uris(text)
    )


def without_password(text: str) -> str:
    """The text, or *** in its place if it holds a password."""
    return "***" if holds_password(text) else text


def _is_named(place: str, value: str) -> bool:
    """Whether the key that is given the value is called a password."""
    named = _NAMED.fullmatch(place.rpartition(".")[2].lstrip("+-~"))
    return named is not None and value not in ("", "null", "???", "''", '""')


def _shown(place: str) -> str:
    return place if place and re.fullmatch(r"[\w.+~@/-]+", place) else "the command line"


def _unquoted(value: str) -> str:
    """The text inside the quotes of a word of Hydra's."""
    if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
        return value[1:-1].replace("\\" + value[0], value[0])
    return value


def _uris(text: str) -> Iterator[tuple[str, str]]:
    """The scheme of each URI, and all that may belong to it."""
    uris = list(_URI.finditer(text))
    for uri, following in itertools.zip_longest(uris, uris[1:]):
        rest = text[uri.end() : following.start() if following else len(text)]
        # A password of a server's may hold a space; other addresses stand in prose.
        yield uri[1], rest if uri[1].lower() in _SERVERS else rest.partition(" ")[0]


def _in_uri(scheme: str, rest: str) -> bool:
    """Whether there is a password before an @ that may be the one that ends it."""
    rest = _IN_BRACKETS.sub("", re.sub("%3a", ":", rest, flags=re.I))
    for at in re.finditer("@", rest):
        head = rest[: at.start()]
        authority, slash, path = head.partition("/")
        if scheme not in _SERVERS:
            secret = authority.partition(":")[2]
            if secret and not (slash and secret.isdigit()):
                return True
            continue
        # An @ in the value of a key that comes after the database: ?user=me@corp
        if slash and re.search(r"\?\w+=", path):
            head = head.partition("?")[0]
            if _PORTS.match(head):
                continue
        if head.partition(":")[2]:
            return True
    return False


def _in_query(text: str) -> bool:
    """Whether SQL holds a password: in a literal, in a comment, or as a literal."""
    parts = list(_PARTS.finditer(text))
    comments = [part["comment"].strip("-*/ ") for part in parts if part["comment"]]
    inner = [
        part["literal"].replace("''", "'") if part["literal"] is not None
        else part["dollars"] or ""
        for part in parts
    ]  # fmt: skip
    # With a quote too many nobody knows where its literals end.
    odd = "'" in _plain(text).replace("'x'", "") and _in_words(text)
    # A comment may be a clause that was left out.
    given = any(
        _GIVEN.search(plain) or any(map(_CLAUSE.search, _SECRET.findall(plain)))
        for plain in map(_plain, [text, *comments])
    )
    return odd or given or any(map(holds_password, [*inner, *comments]))


def _plain(text: str) -> str:
    """SQL without what stands in its literals and comments."""
    return _PARTS.sub(lambda part: "'x'" if part["literal"] or part["dollars"] else " ", text)

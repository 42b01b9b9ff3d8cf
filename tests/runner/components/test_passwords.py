"""Passwords in every form in which they may be given, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.components.passwords import holds_password, refuse_passwords, refuse_passwords_in_words
from runner.data.sources.rows import opened
from runner.errors import PasswordError
from tests.runner.session import session

HELD = [
    "postgres://me:hush@h/db",
    "POSTGRES://me:hush@h",
    "postgres://:hush@h",
    "postgres://u:123/hush@h",
    "postgres://u:a hush@h",
    "postgres://u%3Ahush@h",
    "postgres://u:hu?sh@h",
    "postgres://u:hu?x=1sh@h",
    "postgres://u:5432@h",
    "postgres://user@server:hush@host/db",
    "postgres://u:hush@[::1]:5432/x",
    "postgres://u:hush@h:5432,h2:1/db",
    "mysql://me:open/hush@127.0.0.1:3306/db",
    "postgres://me@host/db?password=hush",
    "postgres://me@host/db?sslpassword=hush",
    "postgres://me@host/db?PASSWORD=hush",
    "postgres://me@host/db?sslmode=a&PassWord=hush",
    "postgres://me@host/db?pass%77ord=hush",
    "https://u:hush@h/f.csv",
    "host=h user=u password=hush",
    "host=h password='hu sh'",
    "host=h PASSWORD = hush",
    "host=h password= user=u",  # libpq skips the space: it is `user=u`
    "passwd=hush host=h",
    "sslpassword=hush",
    "SELECT * FROM postgres_scan('host=h password=hush', 'a', 'b')",
    "FROM postgres_scan('user=u password=''hu sh''', 'a', 'b')",
    "FROM postgres_scan('postgres://u:hush@h', 'a', 'b')",
    "ATTACH 'host=h password=hush' AS p",
    "SELECT 1 -- postgres://u:hush@h",
    "SELECT 1 /* password=hush */",
    "CREATE SECRET (TYPE postgres, PASSWORD 'hush')",
    "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET 'hush')",
    "create or replace persistent secret x (type huggingface, token 'hush')",
    "FROM f(password := 'hush')",
    "SELECT 1 /* PASSWORD 'hush' */",
    "SELECT 1 -- password := 'hush'",
    "postgres://me@host/db?oauth_client_secret=hush",
    "postgres://me@host/db?scram_client_key=hush",
    "md:shop?motherduck_token=hush",
    "s3://b/x.parquet?s3_secret_access_key=hush",
    "  select * from postgres_query('db', $$ host=h password=hush $$)",
    "SELECT * FROM x WHERE 'postgres://u:hu''sh@h",
]
FREE = [
    "postgres://reader@db.example.org/shop",
    "postgres://reader@db:5432/shop",
    "postgres://db:5432/shop",
    "postgres://u:@h/db",
    "postgres://me%40corp@host/db",
    "postgres://host:5432/db?user=me@corp",
    "postgres://h1:5432,h2:5433/db?user=me@corp",
    "postgres://host/db?options=a:b@c",
    "postgres://me@[fe80::1]:5432/db?user=a@b",
    "postgres://me@h/a,postgres://me@h:5/b",
    "mysql://root@127.0.0.1:3306/shop?ssl_mode=x",
    "s3://bucket/a:b@c/f",
    "https://host:8080/a@b",
    "SELECT * FROM t WHERE password = 'x'",
    "SELECT password, \"user:name\" FROM t WHERE mail LIKE '%:%@x'",
    "host=h password='' user=u",
    "SELECT secret, 'x' AS token FROM t -- what is the token of 'x'?",
    "SELECT 1 /* FROM t WHERE password = 'x' */",
    "fromage",
    "password",
]


@pytest.mark.parametrize("text", HELD)
def test_a_password_is_seen_and_not_shown(text: str) -> None:
    with pytest.raises(PasswordError, match=r"^dataset.source holds .*PGPASSWORD") as refused:
        refuse_passwords({"dataset": {"source": [text]}}, "")
    assert not any(part in str(refused.value) for part in ("hush", "hu sh", "://", "host"))


@pytest.mark.parametrize("text", FREE)
def test_what_holds_none_is_left_alone(text: str) -> None:
    assert not holds_password(text)
    refuse_passwords_in_words([f'dataset.query="{text}"'])


@pytest.mark.parametrize(
    "words",
    [
        [r"dataset.source=host\=h\ password\=hush"],
        [r"dataset.query='FROM postgres_scan(\'host=h password=hush\', 1)'"],
        ["dataset.source=a,postgres://u:hush@h"],
        ["+mail.password=hush"],
        ["postgres://u:hush@h?x=1"],
        ["hydra.sweeper.params.x=postgres://u:hush@h"],
        ["predict", "r", "--source", "postgres://u:hush@h?x=1"],
        ["predict", "r", "--source=postgres://u:hush@h"],
        ["predict", "r", "--query", "FROM postgres_scan('host=h password=hush')"],
    ],
    ids=lambda words: words[-1],
)
def test_a_command_line_is_refused_before_anybody_reads_it(words: list[str]) -> None:
    with pytest.raises(PasswordError) as refused:
        refuse_passwords_in_words(words)
    assert "hush" not in str(refused.value)


def test_new_rows_are_asked_for_without_a_password() -> None:
    for source, query in [("postgres://u:1/hush@h", None), ("a.csv", "FROM f('passwd=hush')")]:
        with pytest.raises(PasswordError) as refused, opened(source, query):
            pass
        assert "hush" not in str(refused.value)


@pytest.mark.slow
def test_nothing_is_kept_of_what_is_refused(tmp_path: Path) -> None:
    uri = "postgres://u:a hush@h"
    query = "FROM postgres_scan('host=h password=hush', 'a', 'b')"
    presets = tmp_path / "mine" / "experiment"
    presets.mkdir(parents=True)
    for name, key, value in (("source", "source", uri), ("query", "query", query)):
        (presets / f"{name}.yaml").write_text(
            "# @package _global_\ndefaults:\n  - override /dataset: sql\n"
            f'dataset:\n  label: y\n  {key}: "{value}"\n'
            + ("  source: a.csv\n" if key == "query" else ""),
            encoding="utf-8",
        )
    mine = ["--config-dir", "mine"]
    typed = ["dataset=sql", "dataset.label=y", f"dataset.source='{uri}'"]
    commands = [
        typed,
        [*typed, "seed=1,2", "-m"],
        ["dataset=sql", "dataset.label=y", f'dataset.query="{query}"'],
        *([f"experiment={name}", *mine] for name in ("source", "query")),
        *([f"experiment={name}", "seed=1,2", *mine, "-m"] for name in ("source", "query")),
        ["experiment=query,source", *mine, "-m"],
        ["predict", "r", "--to", "x.csv", "--source", "a.csv", "--query", query],
        ["evaluate", "r", f"dataset.source={uri}"],
    ]
    (presets / "broken.yaml").write_text(
        f"# @package _global_\ndataset: {{source: x,\n  source: '{uri}'}}\n"
    )
    commands += [["experiment=broken", *mine], ["experiment=broken", "seed=1,2", *mine, "-m"]]
    for done in session(commands, tmp_path):
        assert done.code == 2, done
        assert "hush" not in done.out + done.err
        assert "PGPASSWORD" in done.err or "line 3: the key 'source' comes twice" in done.err
    files = [file for file in set(tmp_path.rglob("*")) - set(presets.iterdir()) if file.is_file()]
    assert [file for file in files if b"hush" in file.read_bytes()] == []

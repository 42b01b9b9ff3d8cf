"""One bad thing in a results folder, drawn from a seed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from runner.journal.lines import to_line
from runner.journal.records import Artifact, Record
from tests.warehouse.conftest import House
from tests.warehouse.sound import BAD, FIRST, SECOND, care, everything, judgement, write


@dataclass
class Scene:
    """A folder with one bad thing in it."""

    home: Path
    bad: str = ""
    """What is bad, in words."""
    named: str = ""
    """What must be named, or be in; nothing where it is no journal."""
    may_refuse: bool = False
    """Whether readers may answer in a sentence until it is gone."""
    planted: list[Path] = field(default_factory=list)
    displaced: list[tuple[Path, Path]] = field(default_factory=list)

    @property
    def results(self) -> Path:
        return self.home / "results"

    @property
    def outside(self) -> Path:
        return self.home / "outside"

    @property
    def house(self) -> House:
        return House(self.results)

    def mend(self) -> None:
        """Take the bad thing away, and put back what had been in its place."""
        for path in self.planted:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
                shutil.rmtree(path)
            elif os.path.lexists(path):
                path.unlink()
        for path, kept in self.displaced:
            kept.rename(path)


# --- What is bad: a record -----------------------------------------------------------------------


def _nested(depth: int, outer: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = outer(value)
    return value


VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**63 - 1, -(2**63), 2**63, 2**64, 10**400, 1e308, -0.0,
    float("nan"), float("inf"), "NaN", "Infinity", "", " ", "x" * 10_000, "\ud800", "\0", "a\nb",
    "\x1b[2J", "🙂", "'; DROP TABLE runs; --", "../../outside/file.txt", "/etc/hostname", FIRST,
    "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00",
    "2026-11-01T10:00:00.000000", [], {}, [None], [[]], {"": ""}, [1, "a"],
    {"a": [1, {"b": None}]},    [[1.0, None], ["x"]], _nested(500, lambda value: [value]),
    _nested(500, lambda value: {"a": value}), ["x"] * 10_000, {str(n): n for n in range(1000)},
)  # fmt: skip
JUNK = (
    b"\n\n\n", b"\xff\xfe\n", b"{\n", b"null\n", b"[]\n", b'{"record": []}\n', b"\0" * 100,
    b"\xef\xbb\xbf{}\n", b"{}\r\n", b'{"record":"run_start"}\n', b"1e999\n",
    b"[" * 100_000 + b"\n",    b'{"record":"run_end","record":"care"}\n',
)  # fmt: skip


def bad_record(scene: Scene, chance: random.Random) -> None:
    """A journal in which one record is not what it should be."""
    house = scene.house
    name, written = chance.choice(
        [
            (BAD, everything(house, BAD)),
            (BAD, everything(house, BAD)),
            (BAD, everything(house, BAD)),
            (f"judgement-{BAD}", judgement(BAD, BAD)),
            (f"care-{BAD}", care(BAD, BAD)),
        ]
    )
    bodies = [json.loads(to_line(record)) for record in written]
    number = chance.randrange(len(bodies))
    body = bodies[number]
    which = chance.choice(sorted(body))
    act = chance.choice(
        ["value"] * 8 + ["nested"] * 5 + ["drop", "more", "twice", "first", "junk"]
    )
    scene.bad = f"{name}: {act} in {body['record']} {which}"
    if act == "value":
        body[which] = chance.choice(VALUES)
        scene.bad += f" = {body[which]!r:.80}"
    elif act == "nested":
        holder, key = _somewhere_in(body, chance)
        holder[key] = chance.choice(VALUES)
        scene.bad += f" at {key!r} = {holder[key]!r:.80}"
    elif act == "drop":
        del body[which]
    elif act == "more":
        body["unheard of"] = chance.choice(VALUES)
    elif act == "twice":
        bodies.insert(chance.randrange(len(bodies) + 1), dict(body))
    elif act == "first":
        bodies.insert(0, bodies.pop(number))
    lines = [json.dumps(body).encode() + b"\n" for body in bodies]
    if act == "junk":
        lines.insert(number, junk := chance.choice(JUNK))
        scene.bad += f": {junk[:40]!r}"
    scene.named = name
    scene.planted.append(
        write(house, name, lines, chance.choice([".done.jsonl"] * 3 + [".jsonl"]))
    )


def _somewhere_in(body: dict[str, Any], chance: random.Random) -> tuple[Any, Any]:
    """A place inside of a record's lists and mappings, or one of its fields."""
    places: list[tuple[Any, Any]] = []

    def visit(value: Any) -> None:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            places.append((value, key))
            if isinstance(item, dict | list):
                visit(item)

    for value in body.values():
        if isinstance(value, dict | list):
            visit(value)
    return chance.choice(places or [(body, key) for key in sorted(body)])


# --- What is bad: a file of predictions ----------------------------------------------------------

TABLES = (
    "SELECT 1 AS a",
    "SELECT 'test' AS split, 0 AS row, NULL AS output, NULL AS target, NULL AS predicted, NULL AS "
    "target_name, NULL AS predicted_name, NULL AS error, NULL AS outputs",
    "SELECT NULL AS split, NULL AS row FROM range(3)",
    "SELECT 'test' AS split, 'x' AS row, 1 AS output, 'y' AS target, 'z' AS predicted, 1 AS "
    "target_name, 1 AS predicted_name, 'w' AS error, 'v' AS outputs",
    "SELECT 'test' AS split, 0 AS row, 'a run' AS run_id",
    "SELECT 'test' AS split, range AS row, 1e300 AS target FROM range(0)",
    "SELECT 'test' AS split, 0 AS row, [1e300] AS outputs, 9223372036854775807 AS error",
    "SELECT {'a': 1} AS split, [1] AS row",
)


def bad_predictions(scene: Scene, chance: random.Random) -> None:
    """A sound journal that refers to a file of predictions which is none."""
    house = scene.house
    written = everything(house, BAD)
    place = next(i for i, record in enumerate(written) if isinstance(record, Artifact))
    uri, content = f"artifacts/ba/{chance.choice(['bad', 'b*d', 'ü', 'a b', 'b?d'])}.parquet", b""
    act = chance.choice(["junk", "table", "table", "table", "uri", "thing"])
    path = house.results / uri
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.bad = f"predictions: {act}"
    if act == "junk":
        content = chance.choice([b"", b"junk", b"PAR1" + b"\0" * 100 + b"PAR1", b"PAR1"])
        path.write_bytes(content)
    elif act == "table":
        query = chance.choice(TABLES)
        draft = path.with_name("draft")
        with duckdb.connect() as con:
            con.execute(f"COPY ({query}) TO '{draft}' (FORMAT parquet)")
        draft.rename(path)
        content = path.read_bytes()
        scene.bad += f" {query}"
    elif act == "uri":
        content = (scene.outside / "file.txt").read_bytes()
        uri = chance.choice(
            ["", ".", "..", "../outside/file.txt", "/etc/hostname", "x\0y", "u" * 5000, "\ud800",
             "artifacts/*.parquet", "http://127.0.0.1:9/x.parquet", "s3://b/x.parquet", "~/x"]
        )  # fmt: skip
        scene.bad += f" {uri!r:.60}"
    else:
        scene.bad += f" {_thing(scene, path, chance)}"
    digest = hashlib.sha256(content).hexdigest()
    written[place] = replace(written[place], uri=uri, sha256=digest, bytes=len(content))  # type: ignore[call-arg]
    lines = [json.dumps(json.loads(to_line(r)) if uri != "\ud800" else _body(r)) for r in written]
    scene.planted += [path, write(house, BAD, [line.encode() + b"\n" for line in lines])]
    scene.named = BAD


def _body(record: Record) -> dict[str, Any]:
    body = {"record": record.record} | asdict(record)
    return json.loads(json.dumps(body).replace("NaN", '"NaN"').replace("Infinity", '"Infinity"'))  # type: ignore[no-any-return]


# --- What is bad: a file or a folder -------------------------------------------------------------

JOURNALS = (
    f"journals/{BAD}.done.jsonl",
    f"journals/{BAD}.jsonl",
    f"journals/care-{BAD}.done.jsonl",
    f"journals/judgement-{BAD}.done.jsonl",
    f"journals/{'n' * 240}.done.jsonl",
    "journals/caf\udce9.done.jsonl",
    "journals/caf\udce9.jsonl",
    "journals/with space \x1b[2J.done.jsonl",
    "journals/.done.jsonl",
    "journals/-.jsonl",
)
FILES = (
    "journals/.clock",
    f"journals/archive/{BAD}.jsonl.gz",
    f"journals/archive/{SECOND}.jsonl.gz",
    f"journals/archive/{SECOND}.jsonl.gz.new",
    "journals/archive/caf\udce9.jsonl.gz",
    f"journals/archive/{'n' * 240}.jsonl.gz",
    f"journals/rejected/{BAD}.lines.jsonl",
    "journals/rejected/caf\udce9",
    "ingest-host",
    "warehouse.duckdb.new",
    "warehouse.duckdb.rebuild",
    f"snapshots/draft-{os.getpid()}",
    "snapshots/caf\udce9",
)
FOLDERS = ("journals/archive", "journals/rejected", "snapshots", ".staging")
STORES = ("weights", "artifacts", "caches")
ESSENTIAL = ("journals", "warehouse.lock", "warehouse.duckdb", "warehouse.duckdb.wal")
"""Without these, readers may say that they cannot."""


def bad_file(scene: Scene, chance: random.Random) -> None:
    """Something that is not what its name says."""
    sort = chance.choice([JOURNALS, JOURNALS, FILES, FILES, FOLDERS, STORES, ESSENTIAL])
    name = chance.choice(sort)
    path = scene.results / name
    scene.may_refuse = sort is ESSENTIAL
    if os.path.lexists(path):
        kept = scene.home / "displaced"
        path.rename(kept)
        scene.displaced.append((path, kept))
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = _thing(scene, path, chance, folder_link=name in ("snapshots", ".staging"))
    scene.bad = f"{name!r} is {kind}"
    if sort is JOURNALS and kind not in ("an empty file", "unreadable") and "jsonl" in name:
        # What has no plain name is named by a piece of it.
        scene.named = "caf" if "caf" in name else Path(name).name.split(".")[0].split("\x1b")[0]
    scene.planted.append(path)


def _thing(scene: Scene, path: Path, chance: random.Random, folder_link: bool = False) -> str:
    """Put something there that is no sound file of ours; what it is."""
    things: dict[str, Callable[[], object]] = {
        "an empty file": path.touch,
        "text": lambda: path.write_text("junk\n"),
        "bytes": lambda: path.write_bytes(bytes(range(256)) * 20),
        "a directory": path.mkdir,
        "a directory with a file": lambda: (path.mkdir(), (path / "inner").write_text("mine")),
        "a FIFO": lambda: os.mkfifo(path),
        "a link to nothing": lambda: path.symlink_to(scene.outside / "nothing"),
        "a link to itself": lambda: path.symlink_to(path),
        "a link to a file outside": lambda: path.symlink_to(scene.outside / "file.txt"),
        "unreadable": lambda: (path.write_text("junk\n"), path.chmod(0)),
    }
    if folder_link:
        things["a link to a folder outside"] = lambda: path.symlink_to(scene.outside / "folder")
    kind = chance.choice(sorted(things))
    things[kind]()
    return kind


# --- What must hold ------------------------------------------------------------------------------


def scene_of(seed: int, template: Path, home: Path) -> Scene:
    """The template with the seed's one bad thing."""
    shutil.copytree(template, home, symlinks=True)
    scene, chance = Scene(home), random.Random(seed)
    chance.choice([bad_record] * 5 + [bad_file] * 4 + [bad_predictions] * 2)(scene, chance)
    return scene

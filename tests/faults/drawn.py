"""Command lines that nobody should have to type: words, environment and files, from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.nursery import STEADY

LONG = "x" * 10_000
VALUES = (
    "", " ", "null", "true", "1", "-1", "0", "1.5", "1e400", "nan", "-inf", "9" * 400, "9" * 5000,
    "0x10", "1_000", "007", LONG, "a b", "größe", "🙂", "\x1b[2J", "a\nb", "\t", "%", "'", '"',
    "''",
    "a'b", "[", "]", "{", "[]", "{}", "[1,2]", "[a,", "[[1],[a]]", "{a:1}", "{a:{b:[1]}}",
    "[" * 3000 + "]" * 3000, "{a:" * 200 + "1" + "}" * 200, "(" * 999, "(1,2)", "1,2", "a,b", ",",
    "range(3)", "range(0,1,0)", "range(nan)", "range(1000000000)", f"range({'9' * 400})",
    "choice(a,b)", "interval(0,1)", "glob(*)", "glob(x*)", "sort(b,a)", "shuffle(1,2)", "int(a)",
    "tag(a,choice(1))", "f(x)", "${seed}", "${nosuch}", "${oc.env:NOSUCH}", "${", "${oc.nope:1}",
    "../config", "/nope/passwd", "/proc/nope", "file/x", "text.txt", "~", "..", ".",
    "iris", "steady", "adam", "l2", "mlp", "os:getcwd", "nope:x", ":", "a=b", "==", "<b>",
    "'; DROP TABLE runs; --", "postgres://user:secret@host/x", "run:nope", "@production",
    "x" * 300,
)  # fmt: skip
KEYS = (
    "seed", "epochs", "batch_size", "results", "monitor", "mode", "engine", "device", "precision",
    "split", "split.val", "split.by", "split.seed", "class_weight", "limit_batches", "checkpoint",
    "retry", "debug", "targets", "deterministic", "metrics", "loss", "kernels", "print_every",
    "dataset", "architecture", "optimizer", "regularizer", "preprocessing", "augmentation",
    "schedule",
    "callback", "experiment", "architecture.units", "architecture.activation", "architecture.nope",
    "optimizer.learning_rate", "optimizer.clipnorm", "regularizer.l2.strength", "regularizer.l2",
    "dataset.path", "dataset.nope", "sweep.max_jobs", "sweep.max_seconds", "sweep.max_failures",
    "search", "search.sampler", "search.pruner", "search.space", "search.trials", "search.batch",
    "search.objectives", "search.confirm", "search.seed", "search.history", "search.require",
    "hydra", "hydra.run.dir", "hydra.sweep.dir", "hydra.mode", "hydra.job.name", "hydra/launcher",
    "hydra/sweeper", "hydra.launcher._target_", "hydra.sweeper._target_", "hydra.searchpath",
    "hydra.output_subdir", "hydra.verbose", "hydra/job_logging", "hydra.job.env_copy", "note",
    "nope", "a.b.c", "größe", "", ".", "a..b", "x@y", "optimizer@z", "seed ", "0", LONG,
)  # fmt: skip
SIGNS = ("", "", "", "", "", "+", "++", "~")
OPTIONS = (
    ("-m",), ("-m",), ("-m",), ("--cfg", "job"), ("--cfg", "job"), ("--cfg", "all"), ("--cfg",),
    ("--cfg", "nope"), ("--resolve",), ("--package", "nope"), ("--info",), ("--info", "bad"),
    ("--shell-completion",), ("-sc", "query=bash"), ("-sc", "install=nope"), ("--hydra-help",),
    ("--help",), ("--version",), ("-r",), ("--config-dir", "conf"), ("--config-dir", "text.txt"),
    ("--config-name", "nope"), ("--config-path", "/nope"), ("--experimental-rerun", "text.txt"),
    ("--nope",), ("-",), ("--",), ("–m",), ("-m", "hydra/sweeper=search", "search.trials=2"),
    ("-m", "hydra/sweeper=basic"),
)  # fmt: skip
TIES = (
    "zip(seed=1,2,epochs=1,2)", "zip(seed=1,2,epochs=1)", "zip()", "zip(", "join(seed=1; seed=2)",
    "join(", "join(;)", "zip(a,b)", "p=zip(seed=1)", "join(join(seed=1))", "zip(seed=range(nan))",
)  # fmt: skip
COMMANDS = (
    ("look", "FILE"), ("look", "FILE"), ("look", "FILE", "--label", "VALUE"),
    ("look", "FILE", "--query", "VALUE"), ("look", "VALUE"),
    ("look", "FILE", "dataset.VALUE=VALUE"),
    ("look", "FILE", "dataset.delimiter=VALUE"), ("look", "FILE", "dataset.encoding=VALUE"),
    ("new", "VALUE", "VALUE"), ("new", "dataset", "VALUE", "--to", "VALUE"),
    ("search", "explain", "VALUE"), ("search", "import", "FILE"), ("search", "VALUE", "VALUE"),
    ("predict", "RUN", "--source", "FILE", "--to", "VALUE"), ("restore", "RUN", "--to", "VALUE"),
    ("evaluate", "RUN", "dataset=VALUE"), ("evaluate", "RUN", "VALUE"), ("resume", "VALUE"),
    ("replay", "VALUE"), ("export", "VALUE", "--to", "VALUE"), ("doctor", "VALUE"), ("VALUE",),
    ("VALUE", "VALUE"), ("resume", "RUN", "--results", "VALUE"),
)  # fmt: skip
ASKED = (
    ("runs",), ("runs", "--limit", "VALUE"), ("runs", "--param", "VALUE"),
    ("runs", "--tag", "VALUE"),
    ("runs", "--sweep", "VALUE"), ("runs", "--sort", "VALUE"), ("runs", "--group-by", "VALUE"),
    ("runs", "--experiment", "VALUE"), ("runs", "--format", "VALUE"), ("top", "--once"),
    ("top", "--sweep", "VALUE"), ("top", "--once", "--every", "VALUE"), ("show", "VALUE"),
    ("show", "RUN"), ("curves", "RUN"), ("curves", "RUN", "--metric", "VALUE"),
    ("curves", "RUN", "--height", "VALUE"), ("compare", "RUN", "RUN"), ("compare", "RUN", "VALUE"),
    ("effects", "RUN", "RUN"), ("effects", "--sweep", "VALUE"), ("effects", "--best", "VALUE"),
    ("failures",), ("failures", "VALUE"), ("plot", "VALUE", "RUN", "-o", "VALUE"),
    ("plot", "curves", "RUN", "-o", "VALUE"),
    ("plot", "scatter", "RUN", "--x", "VALUE", "-o", "a.svg"),
    ("report", "RUN", "-o", "VALUE"), ("report", "RUN", "--title", "VALUE", "-o", "r.html"),
    ("report", "--query", "FILE", "-o", "r.md"), ("report", "--best", "VALUE", "-o", "r.md"),
    ("alias",), ("alias", "VALUE"), ("alias", "VALUE", "RUN"), ("alias", "VALUE", "--rollback"),
    ("alias", "VALUE", "--remove"), ("alias", "production", "RUN", "--move"), ("queries",),
    ("queries", "VALUE"), ("sql", "VALUE"), ("sql", "SELECT repeat('x', 20000)"), ("path",),
    ("sql", "SELECT range(100)", "--format", "VALUE"), ("tag", "RUN", "VALUE"), ("verify",),
    ("note", "RUN", "VALUE"), ("delete", "VALUE"), ("undelete", "VALUE"), ("gc",), ("sync",),
    ("ui", "--port", "-1"), ("ui", "--port", "VALUE", "--host", "203.0.113.1"), ("VALUE",),
    ("runs", "--results", "VALUE"), ("rebuild", "VALUE"), ("--results", "VALUE", "sync"),
)  # fmt: skip
ENVIRONMENT = {
    "SWEEPHOUSE_DISABLE": ("mlp", "plugins", "VALUE", "a/b/c", ","),
    "SWEEPHOUSE_RESULTS": ("VALUE",),
    "COLUMNS": ("0", "-5", "1", "x", "9" * 30),
    "LINES": ("0", "-1"),
    "PATH": ("", "/nope"),
    "HOME": ("", "/nope", "relative"),
    "TMPDIR": ("/nope",),
    "TERM": ("dumb", ""),
    "TZ": ("nope", ""),
    "HYDRA_FULL_ERROR": ("0", "x"),
    "KERAS_BACKEND": ("jax", "nope"),
    "NO_COLOR": ("1",),
}
PIECES = (
    "a",
    "1",
    "ü",
    ",",
    ";",
    "\t",
    "\n",
    '"',
    "'",
    "\\",
    "\0",
    "[",
    "{",
    "}",
    ":",
    "- ",
    "é\r\n",
)


@dataclass
class Line:
    """What is typed, where, and with what around it."""

    program: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def drawn(seed: int, folder: Path, run_ids: list[str]) -> Line:
    """A command line of the runner or of the warehouse.

    folder: where it is typed; a file is written there for it.
    """
    chance = random.Random(seed)

    def filled(words: tuple[str, ...]) -> list[str]:
        return [_filled(word, chance, folder, run_ids) for word in words]

    environment = {
        name: filled((chance.choice(values),))[0]
        for name, values in ENVIRONMENT.items()
        if chance.random() < 0.04
    }
    which = chance.random()
    if which < 0.45:
        return Line("warehouse", filled(chance.choice(ASKED)), environment)
    if which < 0.6:
        return Line("runner", filled(chance.choice(COMMANDS)), environment)
    words = [_override(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    if chance.random() < 0.1:
        words.append(chance.choice(TIES))
    options = list(chance.choice(OPTIONS)) if chance.random() < 0.6 else []
    if chance.random() < 0.1:
        _preset(chance, folder)
        options += ["--config-dir", "conf", "experiment=drawn"]
    # What would train for long: the steady engine trains nothing, and a sweep ends early.
    base = [*STEADY, "epochs=1", "sweep.max_jobs=4", "sweep.max_seconds=5"]
    return Line("runner", [*base, *words, *options], environment)


def _override(chance: random.Random) -> str:
    sign = chance.choice(SIGNS)
    key = chance.choice(KEYS)
    if sign == "~" and chance.random() < 0.7:
        return f"~{key}"
    return f"{sign}{key}={chance.choice(VALUES)}"


def _filled(word: str, chance: random.Random, folder: Path, run_ids: list[str]) -> str:
    while "VALUE" in word:
        word = word.replace("VALUE", chance.choice(VALUES), 1)
    if word == "RUN":
        return chance.choice([*run_ids, *run_ids, chance.choice(VALUES)])
    if word == "FILE":
        return _file(chance, folder)
    return word


def _file(chance: random.Random, folder: Path) -> str:
    """The name of a file of one kind or another, with something in it."""
    ending = chance.choice(
        ["csv", "csv", "json", "jsonl", "parquet", "npz", "npy", "duckdb", "sqlite", "txt", "tsv"]
    )
    file = folder / f"drawn.{ending}"
    makers: tuple[Callable[[random.Random], bytes], ...] = (_junk, _text, _deep, _table, _header)
    file.write_bytes(chance.choice(makers)(chance))
    return file.name


def _junk(chance: random.Random) -> bytes:
    magic = chance.choice(
        [b"", b"PAR1", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"SQLite format 3\0"]
    )
    return magic + chance.randbytes(chance.choice((0, 10, 3000)))


def _text(chance: random.Random) -> bytes:
    text = "".join(chance.choice(PIECES) for _ in range(chance.choice((1, 30, 1000))))
    return text.encode(chance.choice(["utf-8", "latin-1", "utf-16"]))


def _deep(chance: random.Random) -> bytes:
    depth = chance.choice((100, 5_000, 100_000))
    return chance.choice([b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth])


def _table(chance: random.Random) -> bytes:
    head = [chance.choice(("a", "y", "", LONG, "ü", "a b", "1", "select")) for _ in range(3)]
    rows = [[chance.choice(VALUES) for _ in head] for _ in range(chance.choice((0, 1, 20)))]
    return "\n".join(",".join(row) for row in [head, *rows]).encode()


def _header(chance: random.Random) -> bytes:
    """A .npy file that says to hold more, less or something else than it does."""
    shape = chance.choice(["(3,4)", "(1000000000000,4)", "(-1,)", "()", f"({'9' * 30},)", "x"])
    kind = chance.choice(["<f4", "<M8[D]", "|O", "<c8", "nope"])
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + chance.randbytes(48)


def _preset(chance: random.Random, folder: Path) -> None:
    """Write conf/experiment/drawn.yaml."""
    lines = ["# @package _global_"] * (chance.random() < 0.9)
    for _ in range(chance.choice((0, 1, 3))):
        key, value = chance.choice(KEYS), chance.choice(VALUES)
        lines.append(
            chance.choice(
                [
                    f"{key}: {value}",
                    f"{key}: {json.dumps(value)}",
                    f"defaults:\n  - {value}",
                    value,
                ]
            )
        )
    file = folder / "conf" / "experiment" / "drawn.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines), encoding="utf-8")

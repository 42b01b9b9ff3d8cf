"""What `resume`, `extend` and `replay` have in common: a recorded run, trained again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from runner.journal.records import UsedComponent
from runner.sweep.earlier import EarlierRun
from runner.sweep.plan import Run
from runner.sweep.provenance import components_of, versions


def warn_of_changes(earlier: EarlierRun, again: Run) -> None:
    """Say what is not as it was when the run was recorded."""
    for sentence in changed_libraries(earlier):
        warnings.warn(sentence, stacklevel=3)
    if again.fingerprint == earlier.fingerprint:
        return
    sentences = list(changes(earlier, again))
    if not sentences and earlier.is_whole:  # else its fingerprint is its own
        sentences = [
            "what determines the outcome has changed since: a component's source, a plugin's "
            "version or the data"
        ]
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=3)


def changed_libraries(earlier: EarlierRun) -> Iterator[str]:
    """A sentence for each library of which there is another version now."""
    for library, now in versions().items():
        then = earlier.versions.get(library)
        if then is not None and then != now:
            yield f"{library} was {then} then and is {now} now"


def changes(earlier: EarlierRun, again: Run) -> Iterator[str]:
    """A sentence for each component that is another now, and for the data."""
    then = {(one["kind"], one["name"]): one for one in earlier.components}
    for now in components_of(again.config):
        was = then.get((now["kind"], now["name"]))
        if was is not None:
            yield from _changes_of(was, now)
    identity = earlier.data.get("identity")
    if identity and again.identity and identity != again.identity:
        name = again.config.one("dataset").component.name
        yield f"the data of dataset '{name}' have changed since"


def _changes_of(was: UsedComponent, now: UsedComponent) -> Iterator[str]:
    place = f"{now['kind']} '{now['name']}'"
    versions_of = [f"{one['distribution']} {one['version']}" for one in (was, now)]
    if versions_of[0] != versions_of[1]:
        yield f"{place} was of {versions_of[0]} and is of {versions_of[1]} now"
    if was["source"] is not None and was["source"] != now["source"]:
        yield f"the source of {place} has changed since"

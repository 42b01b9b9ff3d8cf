"""Tags, notes and deletions of kept runs, in journals of their own: a rebuild keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from runner.journal.file import write_journal
from runner.journal.ids import new_run_id, now
from runner.journal.records import Care, Record
from warehouse.ingest.ingest import sync
from warehouse.journals.read import CARE
from warehouse.place import Place
from warehouse.snapshot import connect

_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


def entry(action: str, run_id: str | None, text: str | None = None) -> Care:
    """A record of something that is done now."""
    return Care(
        entry_id=new_run_id(),
        action=action,  # type: ignore[arg-type]
        entered_at=now(),
        run_id=run_id,
        text=text,
    )


def record(place: Place, entries: Iterable[Care]) -> None:
    """Write what was done into a journal, and take it in if nobody is at work there."""
    write(place, _in_turn(place, list(entries)))
    sync(place.folder, wait=5.0)


def _in_turn(place: Place, entries: list[Care]) -> list[Care]:
    """The entries, each stamped after all that was said of its run, or by its alias, before.

    A clock that was ahead once, here or on another machine, would else have the last word.
    """
    with connect(place.folder) as con:
        rows = con.execute(
            "SELECT subject, max(entered_at) FROM care, unnest([run_id, CASE WHEN action IN "
            "('alias', 'unalias') THEN '@' || text END]) AS s(subject) "
            "WHERE subject IN (SELECT unnest($1::VARCHAR[])) GROUP BY subject",
            [[subject for each in entries for subject in _subjects(each)]],
        ).fetchall()
    newest = {subject: moment.astimezone(UTC) for subject, moment in rows}
    stamped = []
    for each in entries:
        moment = datetime.fromisoformat(each.entered_at)
        last = max((newest[s] for s in _subjects(each) if s in newest), default=None)
        if last is not None and moment <= last:
            # At the last moment there is, the order of the ids decides.
            moment = last + timedelta(microseconds=last < _LAST_MOMENT)
        newest |= dict.fromkeys(_subjects(each), moment)
        stamped.append(replace(each, entered_at=moment.isoformat(timespec="microseconds")))
    return stamped


def _subjects(each: Care) -> list[str | None]:
    """What an entry is about: a run, and the alias that it gets."""
    alias = [f"@{each.text}"] if each.action in ("alias", "unalias") else []
    return [each.run_id, *alias]


def write(place: Place, entries: Iterable[Record]) -> None:
    """Write the entries, as they are, into a journal."""
    write_journal(place.journals, f"{CARE}{new_run_id()}", entries)

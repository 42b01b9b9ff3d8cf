"""`failures`: what went wrong, the most frequent first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import say
from warehouse.commands.output import add_format, emit, short
from warehouse.lookup import SHORT, find_sweep
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words

QUERY = """
SELECT count(*) AS runs, r.status, coalesce(r.error, f.error, 'its process is gone') AS reason,
    max(r.started_at) AS latest, arg_max(r.run_id, r.started_at) AS run,
    arg_max(f.last_finite_epoch, r.started_at) AS last_finite_epoch
FROM runs AS r
ANTI JOIN deleted AS d ON d.run_id = r.run_id
LEFT JOIN failures AS f ON f.run_id = r.run_id
WHERE r.status IN ('failed', 'lost') AND r.run_id IN (FROM members($sweep))
GROUP BY ALL
ORDER BY runs DESC, reason
"""


def add(words: Words) -> None:
    """`failures`."""
    parser = words.add_parser(
        "failures",
        help="what went wrong, by reason",
        description="Runs that failed or were lost, by reason, the most frequent first; the "
        "newest run of each, whose traceback `show` prints.",
    )
    parser.add_argument("--sweep", metavar="ID", help="of this sweep (head or tail of its id)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    with connect(arguments.results) as con:
        sweep = find_sweep(con, arguments.sweep) if arguments.sweep is not None else None
        rows = con.execute(QUERY, {"sweep": sweep}).fetchall()
        columns = [name for name, *_ in con.description or ()]
    if arguments.format == "table":
        if not rows:
            say("no run failed" + (" in that sweep" if sweep else ""))
            return 0
        rows = [
            (runs, status, reason, short(latest), run_id[-SHORT:], epoch)
            for runs, status, reason, latest, run_id, epoch in rows
        ]
    emit(columns, rows, arguments.format, fitting=True)
    return 0

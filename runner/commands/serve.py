"""`serve`: a trained model that answers over HTTP."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words

PORT = 8700
LOOPBACK = "127.0.0.1"
BATCH = 64
BODY = 16.0


def add(words: Words) -> None:
    """`serve RUN`, and where it listens."""
    parser = words.add_parser(
        "serve",
        description="Answer over HTTP what a run's model says of new rows: JSON or Arrow to "
        "POST /predict; GET /schema, /health, /metrics. Ctrl-C ends it.",
    )
    add_run(parser)
    parser.add_argument("--host", default=LOOPBACK, help=f"listen there (default: {LOOPBACK})")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"listen there; 0: any (default: {PORT})"
    )
    parser.add_argument(
        "--token",
        help="requests must have it as 'Authorization: Bearer TOKEN'; needed where other "
        "machines can reach the server",
    )
    parser.add_argument("--follow", action="store_true", help="of an alias: serve what it names")
    parser.add_argument(
        "--batch",
        type=int,
        default=BATCH,
        help=f"most requests that share a call of the model; 1: none (default: {BATCH})",
    )
    parser.add_argument(
        "--max-body",
        type=float,
        default=BODY,
        metavar="MB",
        help=f"largest body of a request (default: {BODY:g})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until somebody stops it."""
    from runner.sweep.earlier import trained
    from runner.system.listening import (
        address_of,
        answer,
        checked_token,
        listen,
        refuse_open,
    )
    from warehouse.commands import within

    within("--port", arguments.port, 0, 65535)
    within("--batch", arguments.batch, 1, 10_000)
    within("--max-body", arguments.max_body, 0.001, 4096)
    if arguments.follow and not arguments.run_id.startswith("@"):
        raise ConfigError(
            f"--follow follows an alias, such as @production, and {arguments.run_id} is a run"
        )
    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise ConfigError(f"serve needs {' and '.join(missing)}: pip install 'sweephouse[serve]'")
    if arguments.token is not None:
        checked_token(arguments.token)
    refuse_open(arguments.host, arguments.token)
    # What is wrong with the words is told before TensorFlow is loaded.
    trained(arguments.run_id, arguments.results)
    with listen(arguments.host, arguments.port) as listener:
        from runner.commands.serving.app import build
        from runner.commands.serving.served import Serving

        serving = Serving(arguments.run_id, arguments.results, arguments.batch)
        most = int(arguments.max_body * 1_000_000)
        app, counts = build(serving, arguments.host, arguments.token, most)
        address = address_of(listener, arguments.host)
        say(f"serving   {arguments.run_id}, run {serving.now.kept.run_id}, at {address}")
        say(f"ask it    curl {address}/schema")
        say("Ctrl-C ends it.")
        sys.stdout.flush()
        if arguments.follow:
            serving.follow()
        try:
            answer(app, listener, lifespan="off", limit_concurrency=512)
        finally:
            serving.close()
            calls = serving.calls
            say(
                f"answered  {sum(counts.requests.values())} requests, {counts.rows} rows in "
                f"{calls.calls} calls of the model"
            )
    return 0

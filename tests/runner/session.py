"""Many command lines in one child process, so that TensorFlow is imported once for all of them.

Run as a script, it reads command lines from standard input and answers what each printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Words = Sequence[str]


@dataclass(frozen=True)
class Done:
    """What came of one command line; code "crash" where something but SystemExit was raised."""

    words: tuple[str, ...]
    code: int | str | None
    out: str
    err: str


def session(
    commands: Sequence[Words], folder: Path, environment: Mapping[str, str] | None = None
) -> list[Done]:
    """Run `runner <words>` for each of the command lines in the folder, one after the other."""
    child = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps([list(words) for words in commands]),
        cwd=folder,
        env=as_users_have_it(environment),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    return [Done(tuple(words), *rest) for words, *rest in json.loads(child.stdout)]


def as_users_have_it(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what this process, its runs and the other tests put into it."""
    ours = ("SWEEPHOUSE_", "HYDRA_", "TF_CPP_MIN_LOG_LEVEL")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | dict(more or {})


def _one(words: Words) -> list[Any]:
    from runner.__main__ import main

    here = Path.cwd()
    sys.argv = ["runner", *words]
    kept = os.dup(1), os.dup(2)
    before = dict(os.environ)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        code: Any = None
        try:
            main()
        except SystemExit as done:
            code = done.code
        except BaseException:
            code = "crash"
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.environ.clear()
            os.environ.update(before)
            os.chdir(here)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    return [list(words), code, *said]


if __name__ == "__main__":
    # The script's own folder is no place to import from.
    sys.path[0] = ""
    asked = json.load(sys.stdin)
    answers = [_one(words) for words in asked]
    json.dump(answers, sys.stdout)

"""What the code was: the changes that are not committed, and what is installed."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOST = 1_000_000
"""Bytes of changes that are kept; of more, only which files differ and by how much."""
MOST_OF_FILE = 100_000
"""Bytes of a file that git does not know yet and that is kept all the same."""
SECONDS = 3.0
"""The time that git has."""
SECRETS = (
    *("**/.env", "**/.env.*", "**/*.env", "**/.envrc", "**/.netrc", "**/.pgpass", "**/.my.cnf"),
    *("**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.keystore", "**/*.kdbx"),
    *("**/id_rsa*", "**/id_dsa*", "**/id_ecdsa*", "**/id_ed25519*", "**/.git-credentials"),
    *("**/.npmrc", "**/.pypirc", "**/credentials", "**/credentials.*", "**/secret.*"),
    *("**/secrets.*", "**/.streamlit/secrets.*", "**/.aws/**", "**/.ssh/**", "**/.kube/**"),
)
"""Files that are never kept, whatever git thinks of them."""
HYDRA = ("**/.hydra/**", "**/multirun.yaml")
"""What Hydra writes with every run."""
SOURCES = ("py", "pyi", "pyx", "sql", "yaml", "yml", "toml", "cfg", "ini", "sh", "c", "cpp", "cu")
"""Endings of the files that are code, where git does not know them yet."""


@dataclass(frozen=True)
class CodeFile:
    """A file about the code, to be stored with each run: equal ones are stored once."""

    kind: str
    suffix: str
    content: bytes


@functools.cache
def about_code() -> tuple[CodeFile, ...]:
    """The changes that are not committed, if there are any, and the packages of this process."""
    diff = _changes()
    kept = [CodeFile("diff", ".diff", diff)] if diff else []
    return (*kept, CodeFile("packages", ".txt", "".join(f"{p}\n" for p in packages()).encode()))


def packages() -> list[str]:
    """What is installed, as `pip freeze` has it: name==version, or name @ URL@commit.

    It is read from the names of the folders that pip makes: to open each would take a second.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                stem, _, ending = entry.name.rpartition(".")
                if ending not in ("dist-info", "egg-info") or "-" not in stem:
                    continue
                name, version, *_ = stem.split("-")
                name = name.lower().replace("_", "-")
                # The first one is imported.
                found.setdefault(name, _from_url(entry.path, name) or f"{name}=={version}")
    return sorted(found.values())


def _from_url(folder: str, name: str) -> str:
    """The package with the commit that it was installed from, where pip knows that."""
    try:
        body = json.loads(Path(folder, "direct_url.json").read_text(encoding="utf-8"))
        return f"{name} @ {body['url']}@{body['vcs_info']['commit_id']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _changes() -> bytes:
    """The changes of the repository where the user stands, as `git apply` takes them."""
    # In a repository without a commit it has nothing to say.
    said = _git(["rev-parse", "--show-toplevel", "HEAD"], 8192)
    if not said:
        return b""
    top = os.fsdecode(said.rpartition(b"\n")[0].rpartition(b"\n")[0])
    but = [f":(top,exclude,icase,glob){pattern}" for pattern in (*SECRETS, *HYDRA)]
    plain = ["--no-color", "--no-ext-diff", "--no-textconv", "HEAD"]
    diff = _git(["diff", *plain, "--", ":(top)", *but], MOST + 1)
    if len(diff) > MOST:
        summary = _git(["diff", "--stat=200", *plain, "--", ":(top)", *but], MOST)
        return b"# more than %d bytes of changes: which files they are in\n" % MOST + summary
    globs = [f":(top,icase,glob)**/*.{ending}" for ending in SOURCES]
    listed = _git(
        ["ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", *globs, *but],
        MOST,
    )
    for name in sorted(listed.split(b"\0")[:-1]):
        diff += b"".join(_as_new(Path(top), name))
        if len(diff) > MOST:
            break
    return diff


def _as_new(top: Path, name: bytes) -> Iterator[bytes]:
    """A file that git does not know yet, as a part of a diff; nothing for what is no text."""
    path = top / os.fsdecode(name)
    try:
        if path.is_symlink() or path.stat().st_size > MOST_OF_FILE:
            return
        content = path.read_bytes()
    except OSError:
        return
    if not content or b"\0" in content or not name.isascii() or set(name) & set(b'"\\\t\n'):
        return
    lines = content.split(b"\n")
    ends = not lines[-1]
    lines = lines[:-1] if ends else lines
    yield b"diff --git a/%s b/%s\nnew file mode 100644\n--- /dev/null\n+++ b/%s\n" % (
        name,
        name,
        name,
    )
    yield b"@@ -0,0 +1,%d @@\n" % len(lines)
    yield b"".join(b"+%s\n" % line for line in lines)
    if not ends:
        yield b"\\ No newline at end of file\n"


def _git(words: list[str], most: int) -> bytes:
    """What git prints, up to so many bytes; nothing without git or outside a repository."""
    try:
        process = subprocess.Popen(
            ["git", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return b""
    timer = threading.Timer(SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    with process:
        assert process.stdout is not None
        said = process.stdout.read(most)
        if len(said) == most:
            process.kill()
    timer.cancel()
    return said if process.returncode == 0 or len(said) == most else b""

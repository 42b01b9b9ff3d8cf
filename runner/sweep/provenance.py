"""What is recorded of the place where a run trains: versions, host, git."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess

LIBRARIES = ("sweephouse", "tensorflow", "keras", "numpy", "duckdb", "hydra-core")


@functools.cache
def versions() -> dict[str, str]:
    """Python's version and that of each library that matters, read without importing them."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """The commit of the repository where the user stands, and whether it has local changes."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*words: str) -> str | None:
    """What git prints; None without git or outside a repository."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""The place where a run trains, as it is recorded: versions, git."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess

LIBRARIES = ("sweephouse", "tensorflow", "keras", "numpy", "duckdb", "hydra-core")


@functools.cache
def versions() -> dict[str, str]:
    """Python's version and that of each library that matters, read without importing them."""
    versions_now = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions_now[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions_now


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """The commit of the repository where the user stands, and whether it has local changes."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*words: str) -> str | None:
    """Run git and return what it prints; None without git or outside a repository."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

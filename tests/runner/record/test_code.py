"""The code is kept with a run: what is not committed of it, but no secret, and the packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner.record import code


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit, in a folder of which somebody stands."""
    top = tmp_path / "repository"
    (top / "inside").mkdir(parents=True)
    (top / "model.py").write_text("width = 1\n")
    (top / ".env").write_text("TOKEN=first\n")
    (top / ".gitignore").write_text("ignored.py\n")
    git = ["git", "-C", str(top), "-c", "user.name=n", "-c", "user.email=e@e"]
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.chdir(top / "inside")
    return top


def applied(top: Path, diff: bytes) -> None:
    """Go back to the commit, and apply a diff."""
    for words in (["checkout", "-q", "."], ["clean", "-fdq"], ["apply", "-"]):
        subprocess.run(["git", "-C", str(top), *words], input=diff, check=True)


def test_changes_can_be_applied_and_hold_no_secret(repository: Path) -> None:
    assert code._changes() == b""
    (repository / "model.py").write_text("width = 2\n")
    files = {"new.py": "a = 1\nb = 2", "inside/conf.yaml": "rate: 1\n"}
    for name, text in files.items():
        (repository / name).write_text(text)
    for name in (".env", "inside/.env.local", "ignored.py", "server.pem", "secrets.toml"):
        (repository / name).write_text("TOKEN=hidden\n")
    (repository / "large.py").write_text("#" * 200_000)
    (repository / "table.csv").write_text("a,b\n")
    diff = code._changes()
    assert b"hidden" not in diff and b"large.py" not in diff and b"table.csv" not in diff
    applied(repository, diff)
    assert (repository / "model.py").read_text() == "width = 2\n"
    assert {name: (repository / name).read_text() for name in files} == files


def test_of_very_long_changes_it_is_kept_where_they_are(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "MOST", 2000)
    (repository / "model.py").write_text("width = 2\n" * 1000)
    diff = code._changes()
    assert diff.startswith(b"# more than 2000 bytes of changes") and b"model.py | 1001 " in diff


def test_without_git_or_a_commit_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code._changes() == b""
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "new.py").write_text("a = 1\n")
    assert code._changes() == b""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code._changes() == b""


def test_packages_are_as_pip_freeze_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata

    known = {
        (one.metadata["Name"].lower().replace("_", "-"), one.version)
        for one in importlib.metadata.distributions()
    }
    said = {tuple(line.split("==")) for line in code.packages() if "==" in line}
    assert said <= known and ("numpy", importlib.metadata.version("numpy")) in said
    for name in ("from_git-1.0.dist-info", "numpy-0.0.1.dist-info", "old-2.0-py3.11.egg-info"):
        (tmp_path / name).mkdir()
    url = '{"url": "https://example.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
    (tmp_path / "from_git-1.0.dist-info/direct_url.json").write_text(url)
    monkeypatch.syspath_prepend(tmp_path)
    lines = code.packages()
    assert "from-git @ https://example.org/r.git@abc" in lines and "old==2.0" in lines
    assert [line for line in lines if line.startswith("numpy=")] == ["numpy==0.0.1"]

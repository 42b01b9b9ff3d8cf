"""Where a run's journal and what is kept beside it may be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import JournalError
from runner.journal.file import check_writable


@pytest.mark.parametrize("name", ["weights", "artifacts", "journals"])
@pytest.mark.parametrize("kind", ["file", "loop", "link to nothing"])
def test_what_is_no_folder_is_told_before_anything_is_trained(
    tmp_path: Path, name: str, kind: str
) -> None:
    check_writable(tmp_path / "journals")
    path = tmp_path / name
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(path if kind == "loop" else tmp_path / "nothing")
    with pytest.raises(JournalError, match=f"{name} .*nothing was trained"):
        check_writable(tmp_path / "journals")


def test_folders_may_be_links_to_others(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    for name in ("weights", "artifacts", "journals"):
        (tmp_path / name).symlink_to(tmp_path / "disk")
    check_writable(tmp_path / "journals")

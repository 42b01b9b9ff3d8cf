"""What comes of a worker's runs on its way to the head; and the words of the launcher."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from runner.errors import ConfigError, JournalError
from runner.journal import weights
from runner.journal.file import Journal, is_abandoned
from runner.journal.records import EpochEnd, Record, RunEnd
from runner.sweep.cluster import carrier
from runner.sweep.cluster.carrier import Inbox, Outbox
from runner.sweep.cluster.on_ray import Share
from runner.sweep.launching.ray import RayLauncher, connect

RUN = "01a2272b-a51c-7095-bebd-25180fe969ac"


def epoch(number: int, loss: float = 0.5) -> EpochEnd:
    return EpochEnd(RUN, number, loss, None, 0.1, 1.0)


class Head:
    """The head's end, and what it has heard."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.heard = folder, list[Record]()
        self.inbox = Inbox(folder, lambda node, record: self.heard.append(record))
        self.stored = 0

    def ask(self, outbox: Outbox) -> int:
        """Take all letters that there are, each twice, as where an answer was lost; how many."""
        number = 0
        while (letter := outbox.letter(self.stored)) is not None:
            assert outbox.letter(self.stored) == letter
            self.inbox.take(letter, "blue")
            self.inbox.take(letter, "blue")
            self.stored, number = letter.number, number + 1
        return number


def test_lines_and_files_arrive_once_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "LETTER", 1000)
    there, head = tmp_path / "worker", Head(tmp_path / "head")
    outbox = Outbox(there)
    assert outbox.letter(0) is None
    whole = b""
    with Journal(there / "journals", RUN) as journal:
        journal.append(epoch(1, float("nan")))
        content = bytes(range(256)) * 10
        stored = weights.store(there, content, ".bin")
        journal.append(epoch(2))
        journal.append_lines(b'{"record":"epo')  # half a line is not sent
        assert head.ask(outbox) == 3
        open_journal = head.folder / "journals" / f"{RUN}.jsonl"
        assert open_journal.read_bytes().count(b"\n") == 2
        assert not is_abandoned(open_journal)
        assert (head.folder / stored.uri).read_bytes() == content
        assert not (there / stored.uri).exists()
        journal.append_lines(b'ch_end","run_id":"?"}\n')
        journal.append(RunEnd.finished(RUN, 1.0, 2))
        whole = journal.path.read_bytes()
        journal.finish()
    assert head.ask(outbox) == 1
    assert (head.folder / "journals" / f"{RUN}.done.jsonl").read_bytes() == whole
    assert [type(record) for record in head.heard] == [EpochEnd, EpochEnd, RunEnd]
    assert isinstance(head.heard[0], EpochEnd) and head.heard[0].loss != head.heard[0].loss
    assert not list((there / "journals").iterdir())


def test_what_arrives_after_a_run_was_given_up_is_left(tmp_path: Path) -> None:
    there, head = tmp_path / "worker", Head(tmp_path / "head")
    outbox = Outbox(there)
    with Journal(there / "journals", RUN) as journal:
        journal.append(epoch(1))
        head.ask(outbox)
        head.inbox.end(RunEnd.failed(RUN, "its worker died"), "blue")
        journal.append(epoch(2))
        head.ask(outbox)
    [done] = (head.folder / "journals").iterdir()
    assert done.name == f"{RUN}.done.jsonl" and done.read_bytes().count(b"\n") == 2


def test_a_file_that_arrives_damaged_is_no_file(tmp_path: Path) -> None:
    uri = f"weights/ab/{hashlib.sha256(b'other').hexdigest()}.bin"
    piece = carrier.Piece(uri, 0, b"this", 4)
    with pytest.raises(JournalError, match="damaged"):
        Head(tmp_path).inbox.take(carrier.Letter(1, (piece,), ()), "blue")
    assert not (tmp_path / uri).exists()


@pytest.mark.parametrize(
    ("share", "resources", "workers"),
    [
        (Share(), {"CPU": 8.0}, (1, 8.0, 0.0)),
        (Share(), {"CPU": 8.0, "GPU": 2.0}, (2, 4.0, 1.0)),
        (Share(cpus=3), {"CPU": 8.0}, (2, 3, 0.0)),
        (Share(gpus=0.5), {"CPU": 8.0, "GPU": 2.0}, (4, 2.0, 0.5)),
        (Share(cpus=1, gpus=1), {"CPU": 8.0, "GPU": 2.0}, (2, 1, 1)),
        (Share(cpus=9), {"CPU": 8.0}, (0, 9, 0.0)),
        (Share(gpus=1), {"CPU": 8.0}, (0, 0, 1)),
        (Share(), {}, (0, 0, 0.0)),
    ],
)
def test_workers_have_their_share_of_a_node(
    share: Share, resources: dict[str, float], workers: tuple[int, float, float]
) -> None:
    assert share.of(resources) == workers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"cpus": -1}, "hydra.launcher.cpus=-1 is not valid"),
        ({"gpus": "many"}, "hydra.launcher.gpus=many is not valid"),
        ({"pack": 0}, "hydra.launcher.pack=0 is not valid"),
        ({"cpus": 0}, "hydra.launcher.cpus=0 is not valid without hydra.launcher.gpus"),
        ({"address": 7}, "hydra.launcher.address=7 is not valid"),
    ],
)
def test_params_that_mean_nothing_are_refused(params: dict[str, Any], sentence: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError) as told:
        RayLauncher(**params).check()
    assert str(told.value).startswith(sentence)


def test_where_ray_is_not_installed_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'not installed: pip install "sweephouse\[ray\]"'):
        RayLauncher().check()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", ":", "a:b"])
def test_an_address_that_leads_nowhere_is_one_sentence(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match="leads to no Ray cluster") as told:
        connect(address)
    assert str(told.value).startswith(f"hydra.launcher.address={address} ")

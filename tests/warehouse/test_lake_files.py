"""Files of runs beside a lake: in a folder and in a bucket, brought and fetched."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runner.errors import WarehouseError
from runner.journal.ids import new_run_id
from tests.buckets import BUCKET, buckets, client, without_rights
from tests.warehouse.conftest import House, ending, records
from warehouse.journals.read import Reading, read
from warehouse.lake.files import bring_again, fetch, upload
from warehouse.lake.objects import name_of, objects_at

pytest.importorskip("boto3", reason="files in S3 need boto3")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with buckets() as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> str:
    """The place of a lake's files, empty."""
    if request.param == "s3":
        return f"s3://{BUCKET}/{tmp_path.name}"
    folder = tmp_path / "data"
    folder.mkdir()
    return str(folder)


def trained(house: House, *contents: bytes) -> Reading:
    """A run's journal that names weights of these contents."""
    run_id = new_run_id()
    kept = [house.weights(run_id, content, f"role-{content!r}") for content in contents]
    return read(house.write([*records(run_id), *kept, *ending(run_id)]))


def uris(reading: Reading) -> list[str]:
    return [row.fields["uri"] for row in reading.rows if row.kind == "weights"]


@pytest.mark.slow
def test_a_file_is_brought_once_and_comes_back_as_it_was(
    place: str, house: House, tmp_path: Path
) -> None:
    objects = objects_at(place)
    reading = trained(house, b"one", b"two" * 3_000_000)
    told: list[tuple[int, int]] = []
    done = upload(objects, house.results, [reading, reading], lambda *n: told.append(n))
    assert (done.files, done.bytes, done.problems) == (2, 9_000_003, [])
    assert told == [(1, 2), (2, 2)]
    assert done.readings == [reading, reading]
    again = upload(objects, house.results, [reading])
    assert (again.files, again.bytes) == (0, 0)
    other = tmp_path / "other"
    for uri, row in zip(uris(reading), reading.rows[4:6], strict=True):
        path = fetch(objects, other, uri, row.fields["sha256"])
        assert path == other / uri
        assert path.read_bytes() == (house.results / uri).read_bytes()
    # From now on it is here.
    assert fetch(objects_at("s3://nowhere"), other, uri, "") == path
    assert [p.name for p in (other / "weights").rglob("*.tmp")] == []


def test_a_row_never_names_what_is_not_there(place: str, house: House) -> None:
    objects = objects_at(place)
    reading = trained(house, b"kept", b"gone", b"altered", b"brought before")
    kept, gone, altered, brought = uris(reading)
    upload(objects, house.results, [trained(house, b"brought before")])
    (house.results / gone).unlink()
    (house.results / brought).unlink()
    (house.results / altered).write_bytes(b"ALTERED")
    done = upload(objects, house.results, [reading])
    assert uris(done.readings[0]) == [kept, brought]
    assert len(done.readings[0].rows) == len(reading.rows) - 2
    assert [problem.split(": ")[0] for problem in done.problems] == [f"run {reading.run_id}"] * 2
    assert "cannot be read (No such file" in done.problems[0]
    assert "was altered, so its record is left out of the lake" in done.problems[1]
    assert not objects.exists(altered.split("/")[2].split(".")[0])


def age(place: str, digest: str, days: float) -> None:
    """Make a file of the lake older."""
    if not place.startswith("s3://"):
        then = time.time() - days * 86_400
        os.utime(Path(place) / name_of(digest), (then, then))
        return
    from moto.s3.models import s3_backends  # its server is in this process

    folder = place.removeprefix(f"s3://{BUCKET}/")
    for account in s3_backends.values():
        file = account["aws"].buckets[BUCKET].keys[f"{folder}/{name_of(digest)}"]
        file.last_modified -= timedelta(days=days)


def test_what_is_old_can_be_removed_and_what_was_found_is_brought_again(
    place: str, house: House, tmp_path: Path
) -> None:
    objects = objects_at(place)
    upload(objects, house.results, [trained(house, b"old", b"new")])
    old, new = (hashlib.sha256(content).hexdigest() for content in (b"old", b"new"))
    age(place, old, 2)
    assert list(objects.older(86_400)) == [old]
    done = upload(objects, house.results, [reading := trained(house, b"old", b"other")])
    assert list(done.found) == uris(reading)[:1]
    assert [objects.remove(old), objects.remove(old)] == [True, False]
    assert [objects.exists(old), objects.exists(new)] == [False, True]
    bring_again(objects, house.results, done.found)
    assert objects.get(old, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"old"
    objects.remove(old)
    (house.results / uris(reading)[0]).unlink()
    with pytest.raises(WarehouseError, match="it has just gone"):
        bring_again(objects, house.results, done.found)


@pytest.mark.slow
def test_a_name_that_leads_elsewhere_is_not_followed(
    place: str, house: House, tmp_path: Path
) -> None:
    objects = objects_at(place)
    reading = trained(house, b"one")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    rows = [
        row._replace(fields=row.fields | {"uri": "../secret", "sha256": digest})
        if row.kind == "weights"
        else row
        for row in reading.rows
    ]
    done = upload(objects, house.results, [replace(reading, rows=rows)])
    assert done.files == 0
    assert "is no name of a stored file" in done.problems[0]
    with pytest.raises(WarehouseError, match="is no place in the results folder"):
        fetch(objects, house.results, "../secret", digest)


def test_what_comes_is_checked_before_it_is_there(
    place: str, house: House, tmp_path: Path
) -> None:
    objects, other = objects_at(place), tmp_path / "other"
    bad = tmp_path / "bad"
    bad.write_bytes(b"not what its name says")
    uri = f"weights/aa/{'a' * 64}.safetensors"
    objects.put("a" * 64, bad)
    with pytest.raises(WarehouseError, match="is not what was stored: its sha256 differs"):
        fetch(objects, other, uri, "a" * 64)
    assert [path for path in (other / "weights").rglob("*") if path.is_file()] == []
    with pytest.raises(WarehouseError, match=r"is neither in .* nor in the lake"):
        fetch(objects, other, f"weights/bb/{'b' * 64}.safetensors", "b" * 64)


@pytest.mark.slow
def test_a_bucket_says_in_a_sentence_why_it_cannot_be_written(
    server: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = trained(house, b"one")

    def said(place: str) -> str:
        with pytest.raises(WarehouseError) as caught:
            upload(objects_at(place), house.results, [reading])
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert said("s3://no-such-bucket/x") == (
        "s3://no-such-bucket/x cannot be written: there is no such bucket: "
        "make it, or name another"
    )
    assert said("s3://") == "s3:// names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER"
    with without_rights(server):
        assert said(f"s3://{BUCKET}/x") == (
            f"s3://{BUCKET}/x cannot be written: this user has no s3:PutObject there "
            "(AccessDenied)"
        )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "Could not connect to the endpoint URL" in said(f"s3://{BUCKET}/x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    assert "there are no credentials; set AWS_ACCESS_KEY_ID" in said(f"s3://{BUCKET}/x")


def test_a_share_that_is_not_mounted_is_not_made(house: House, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be written"):
        upload(objects_at(str(tmp_path / "share")), house.results, [trained(house, b"one")])
    assert not (tmp_path / "share").exists()


def test_a_clock_that_s3_does_not_bear_is_named(
    server: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    def refuse(self: BaseClient, name: str, words: object) -> None:
        answer = {"Error": {"Code": "RequestTimeTooSkewed", "Message": "too large"}}
        raise ClientError(answer, name)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(WarehouseError, match="this machine's clock is wrong by more than S3"):
        upload(objects_at(f"s3://{BUCKET}/x"), house.results, [trained(house, b"one")])


def test_all_that_goes_up_can_be_listed(server: str, house: House) -> None:
    reading = trained(house, b"one")
    upload(objects_at(f"s3://{BUCKET}/listed/"), house.results, [reading])
    found = client("s3").list_objects_v2(Bucket=BUCKET, Prefix="listed/")["Contents"]
    digest = hashlib.sha256(b"one").hexdigest()
    assert [one["Key"] for one in found] == [f"listed/objects/{digest[:2]}/{digest}"]

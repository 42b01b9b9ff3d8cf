"""The files of runs beside a lake: weights and artifacts in a folder, or in a bucket of S3.

They are called by the sha256 of what is in them, `objects/ab/ab12...`: an equal file is stored
once, whoever brings it, and bringing it again changes nothing. A file is there whole or not at
all. The names have no ending: what ends in `.parquet` below a lake's data path and is none of its
tables' files, DuckLake removes as an orphan.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol

from runner.system.databases import CLOSED
from warehouse.lake.address import Lake
from warehouse.lake.opening import LakeError, attach, data_path, load_extensions

S3 = "s3://"


def name_of(sha256: str) -> str:
    """The name of a content below the lake's data path."""
    return f"objects/{sha256[:2]}/{sha256}"


class Objects(Protocol):
    """Where the files of a lake's runs lie; safe to use from several threads.

    Every method raises LakeError where the place cannot be reached or has no rights for us.
    """

    def put(self, sha256: str, file: Path) -> bool:
        """Bring a file of this content; False where it is there already, in its whole size."""
        ...

    def get(self, sha256: str, file: Path) -> bool:
        """Write it into `file`; False where it is not there."""
        ...

    def exists(self, sha256: str) -> bool:
        """Whether it is there."""
        ...

    def older(self, seconds: float) -> Iterator[str]:
        """What was brought longer ago; in a folder also drafts that killed clients have left."""
        ...

    def remove(self, name: str) -> bool:
        """Remove one of these; whether it was there."""
        ...


def objects_at(place: str) -> Objects:
    """The files below a folder, or below `s3://bucket/prefix`.

    A bucket is spoken to by boto3: credentials, region and the address of a server of one's own
    (AWS_ENDPOINT_URL) are those of the environment and of ~/.aws. Raises LakeError where
    the name of the bucket is missing, or boto3 is.
    """
    if not place.startswith(S3):
        return FolderObjects(Path(place))
    bucket, _, prefix = place.removeprefix(S3).partition("/")
    if not bucket:
        raise LakeError(f"{place} names no bucket: give s3://BUCKET or s3://BUCKET/FOLDER")
    from warehouse.lake.bucket import S3Objects

    return S3Objects(bucket, prefix.strip("/"))


def objects_of(lake: Lake) -> Objects:
    """The files of a lake, whose place its catalog knows where the address does not name it.

    Raises LakeError where the catalog cannot be reached.
    """
    if lake.data is not None:
        return objects_at(lake.data)
    import duckdb

    with duckdb.connect(config=CLOSED) as con:
        load_extensions(con)
        attach(con, lake)
        return objects_at(data_path(con, lake))


class FolderObjects:
    """Files in a folder, which may be a share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sha256: str, file: Path) -> bool:
        """Copy it under another name first: a killed process leaves no half of it."""
        path = self._folder / name_of(sha256)
        try:
            if path.exists() and path.stat().st_size == file.stat().st_size:
                return False
            # The folder itself is not made: a share that is not mounted here has none.
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(exist_ok=True)
            with new_beside(path) as draft:
                shutil.copyfile(file, draft)
        except OSError as error:
            self._refuse("written", error)
        return True

    def get(self, sha256: str, file: Path) -> bool:
        """Copy it out."""
        try:
            shutil.copyfile(self._folder / name_of(sha256), file)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._refuse("read", error)
        return True

    def exists(self, sha256: str) -> bool:
        """Look for it."""
        try:
            return (self._folder / name_of(sha256)).exists()
        except OSError as error:
            self._refuse("read", error)

    def older(self, seconds: float) -> Iterator[str]:
        """Look at the dates."""
        try:
            for path in self._folder.glob(name_of("??*")):
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > seconds:
                        yield path.name
        except OSError as error:
            self._refuse("listed", error)

    def remove(self, name: str) -> bool:
        """Unlink it."""
        try:
            (self._folder / name_of(name)).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._refuse("removed", error)
        return True

    def _refuse(self, done: str, error: OSError) -> NoReturn:
        raise LakeError(
            f"the lake's files in {self._folder} cannot be {done} ({error.strerror})"
        ) from error


@contextmanager
def new_beside(path: Path) -> Iterator[Path]:
    """A draft to write to, which takes the file's place when it is on the disk, or is gone."""
    draft = path.with_name(f"{path.stem[:16]}.{uuid.uuid4().hex}.tmp")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

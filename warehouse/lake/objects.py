"""The files of runs beside a lake: weights and artifacts in a folder, or in a bucket of S3.

They are called by the sha256 of what is in them, `objects/ab/ab12...`: an equal file is stored
once, whoever brings it, and bringing it again changes nothing. A file is there whole or not at
all. The names have no ending: what ends in `.parquet` below a lake's data path and is none of its
tables' files, DuckLake removes as an orphan.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol

from runner.system.databases import CLOSED
from warehouse.lake.address import Lake
from warehouse.lake.opening import LakeError, attach, data_path, load_extensions

S3 = "s3://"
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
"""What S3 says of an object that is not there."""
REFUSED = frozenset({"403", "AccessDenied", "Forbidden", "AllAccessDisabled"})
"""What it says to those who may not. Of one that is not there, too, where they may not list."""
_MENDS = {
    "NoSuchBucket": "there is no such bucket: make it, or name another",
    "InvalidAccessKeyId": "it does not know this key: see AWS_ACCESS_KEY_ID and AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret is not that of the key: see AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the credentials have expired: log in again",
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than S3 bears: set it",
}
"""What the user can do about an answer of S3."""
_PATIENCE = {"connect_timeout": 10, "read_timeout": 60}
"""Seconds for S3 to answer; three times, before it counts as not reachable."""


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

    def _refuse(self, done: str, error: OSError) -> NoReturn:
        raise LakeError(
            f"the lake's files in {self._folder} cannot be {done} ({error.strerror})"
        ) from error


class S3Objects:
    """Files in a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._client = _client()

    def put(self, sha256: str, file: Path) -> bool:
        """Upload it, in parts where it is large; S3 shows it when all of it has come."""
        try:
            if self._size(sha256) == file.stat().st_size:
                return False
        except LakeError as error:
            # Who may write but not list is refused the look at what is not there.
            if not isinstance(error, _RefusedError):
                raise
        self._do(
            "written", lambda: self._client.upload_file(file, self._bucket, self._key(sha256))
        )
        return True

    def get(self, sha256: str, file: Path) -> bool:
        """Download it."""
        if not self.exists(sha256):
            return False
        self._do("read", lambda: self._client.download_file(self._bucket, self._key(sha256), file))
        return True

    def exists(self, sha256: str) -> bool:
        """Ask for its head."""
        return self._size(sha256) is not None

    def _size(self, sha256: str) -> int | None:
        """Its bytes; None where it is not there."""
        head = self._do(
            "read", lambda: self._client.head_object(Bucket=self._bucket, Key=self._key(sha256))
        )
        return None if head is None else int(head["ContentLength"])

    def _key(self, sha256: str) -> str:
        return "/".join(filter(None, (self._prefix, name_of(sha256))))

    def _do(self, done: str, call: Any) -> Any:
        """The answer of S3; None where it has no such object.

        Raises _RefusedError where we have no rights, LakeError for all else that it says.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return call()
        except NoCredentialsError as error:
            raise LakeError(
                f"{self._shown} cannot be {done}: there are no credentials; set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ) from error
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in MISSING:
                return None
            self._refuse(done, code, error)
        except Boto3Error as error:  # an upload's, with the reason inside
            cause = error.__context__ or error.__cause__
            code = ""
            if isinstance(cause, ClientError):
                code = str(cause.response.get("Error", {}).get("Code", ""))
            self._refuse(done, code, error)
        except (BotoCoreError, ValueError) as error:
            raise LakeError(
                f"{self._shown} cannot be {done}: {str(error).splitlines()[0]}"
            ) from error

    def _refuse(self, done: str, code: str, error: Exception) -> NoReturn:
        if code in REFUSED:
            right = "s3:PutObject" if done == "written" else "s3:GetObject"
            raise _RefusedError(
                f"{self._shown} cannot be {done}: this user has no {right} there ({code})"
            ) from error
        why = _MENDS.get(code) or str(error).splitlines()[0]
        raise LakeError(f"{self._shown} cannot be {done}: {why}") from error

    @property
    def _shown(self) -> str:
        return f"{S3}{self._bucket}" + (f"/{self._prefix}" if self._prefix else "")


class _RefusedError(LakeError):
    """S3 says that we may not."""


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


def _client() -> Any:
    """A client of S3; LakeError where boto3 is missing or its settings will not do."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise LakeError(
            "files in S3 need boto3, which is missing: pip install 'sweephouse[lake]'"
        ) from error
    config = Config(retries={"total_max_attempts": 3, "mode": "standard"}, **_PATIENCE)
    try:
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise LakeError(f"S3 cannot be spoken to: {str(error).splitlines()[0]}") from error

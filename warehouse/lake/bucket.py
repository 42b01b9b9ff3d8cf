"""The files of runs in a bucket of S3, which is spoken to by boto3."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from warehouse.lake.objects import S3, name_of
from warehouse.lake.opening import LakeError

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
_RIGHTS = {"written": "s3:PutObject", "listed": "s3:ListBucket", "removed": "s3:DeleteObject"}
"""What it takes, other than to read."""
_PATIENCE = {"connect_timeout": 10, "read_timeout": 60}
"""Seconds for S3 to answer; three times, before it counts as not reachable."""


class S3Objects:
    """Files in a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._client = _client()

    def put(self, sha256: str, file: Path) -> bool:
        """Upload it, in parts where it is large; S3 shows it when all of it has come."""
        try:
            head = self._head(sha256)
            if head is not None and int(head["ContentLength"]) == file.stat().st_size:
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
        return file.exists()

    def exists(self, sha256: str) -> bool:
        """Ask for its head."""
        return self._head(sha256) is not None

    def older(self, seconds: float) -> Iterator[str]:
        """List them all."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._key("").rstrip("/") + "/"
        )
        for one in self._do("listed", lambda: list(pages.search("Contents[]"))):
            if one is not None and time.time() - one["LastModified"].timestamp() > seconds:
                yield one["Key"].rpartition("/")[2]

    def remove(self, name: str) -> bool:
        """Delete it, if it is there."""
        if not self.exists(name):
            return False
        one = {"Bucket": self._bucket, "Key": self._key(name)}
        self._do("removed", lambda: self._client.delete_object(**one))
        return True

    def _head(self, sha256: str) -> Any:
        """What S3 says of it; None where it is not there."""
        one = {"Bucket": self._bucket, "Key": self._key(sha256)}
        return self._do("read", lambda: self._client.head_object(**one))

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
            right = _RIGHTS.get(done, "s3:GetObject")
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

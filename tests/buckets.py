"""S3 for tests: moto's server in this process, on loopback, with a bucket and its credentials."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

BUCKET = "team"


@contextmanager
def buckets() -> Iterator[str]:
    """The address of a server that has BUCKET; the environment speaks to it meanwhile."""
    moto = pytest.importorskip("moto.server", reason="S3's double is in moto")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "a-key",
                "AWS_SECRET_ACCESS_KEY": "a-secret",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }.items():
                patch.setenv(name, value)
            client("s3").create_bucket(Bucket=BUCKET)
            yield f"http://127.0.0.1:{port}"
    finally:
        _post(f"http://127.0.0.1:{port}/moto-api/reset")  # the next one is in this process, too
        server.stop()


def client(service: str) -> Any:
    """A client of a service, by the environment."""
    import boto3

    return boto3.session.Session().client(service)


@contextmanager
def without_rights(address: str) -> Iterator[None]:
    """The environment as that of a user who may do nothing; the server asks for rights."""
    iam = client("iam")
    iam.create_user(UserName="guest")
    key = iam.create_access_key(UserName="guest")["AccessKey"]
    _allow(address, "0")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
            yield
    finally:
        _allow(address, "inf")


def _allow(address: str, requests: str) -> None:
    """Let so many requests pass before rights are asked for."""
    _post(f"{address}/moto-api/reset-auth", requests)


def _post(address: str, text: str = "") -> None:
    asked = urllib.request.Request(address, data=text.encode(), method="POST")
    asked.add_header("Content-Type", "text/plain")
    # Not by `urlopen`, which keeps the proxies of its first call for the whole process.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked):
        pass

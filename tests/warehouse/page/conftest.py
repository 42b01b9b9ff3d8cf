"""A page that is served, and a browser that looks at it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.warehouse.conftest import ROOT, House

TOKEN = "open-sesame"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDE, NARROW = (1280, 900), (390, 844)


@contextlib.contextmanager
def serving(results: Path) -> Iterator[str]:
    """`python -m warehouse ui` over a results folder; the address, without the token."""
    words = ["--results", str(results), "ui", "--port", "0", "--token", TOKEN, "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if link := re.search(r"http://[^/]+/", line):
                yield link[0]
                break
        else:
            raise AssertionError(process.stderr.read())
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors, errors
    assert process.returncode == 130, errors


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[House], str]]:
    """Serve a results folder until the tests of this file are done."""
    if find_spec("nicegui") is None:
        pytest.skip("the extra `ui` is not installed")
    with contextlib.ExitStack() as stack:
        yield lambda house: stack.enter_context(serving(house.results))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser, and all that it asked for and complained of."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int], dark: bool) -> None:
        self.address = address
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.context.add_cookies([{"name": self._cookie, "value": TOKEN, "url": self.address}])

    @property
    def _cookie(self) -> str:
        return f"sweephouse-{urlsplit(self.address).port}"

    def open(self, path: str = "/", ready: str = "grid") -> Any:
        """Open a page and wait until it shows what it has."""
        self.page.goto(self.address.rstrip("/") + path)
        if ready:
            self.page.wait_for_function(
                f"document.body.dataset.ready === '{ready}'", timeout=20_000
            )
        return self.page

    def until(self, script: str, seconds: float = 10.0) -> float:
        """Wait until a script says true; how long it took."""
        begin = time.monotonic()
        # While a page is being opened, what a script names may not be there yet.
        tried = f"(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()"
        self.page.wait_for_function(tried, timeout=seconds * 1000)
        return time.monotonic() - begin

    def elsewhere(self) -> list[str]:
        """What was asked of other hosts."""
        host = urlsplit(self.address).netloc
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != host
        ]


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visitor]]:
    """Visitors, whose browsers are closed afterwards."""
    visitors: list[Visitor] = []

    def come(address: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Visitor:
        visitors.append(Visitor(chromium, address, size, dark))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()

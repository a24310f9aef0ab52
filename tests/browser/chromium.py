"""The browser that tests drive, and what they watch it for.

``CYME_TEST_CHROMIUM`` names its program; without it Debian's is taken, or the first one on the
path. ``CYME_TEST_AXE`` names the file ``axe.min.js`` of the npm package ``axe-core``, which looks
for barriers. Where one of them is missing its tests are skipped, and fail where
``CYME_TESTS_REQUIRE_SERVERS`` names ``chromium`` or ``axe``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.servers import is_required

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN = Path("/usr/bin/chromium")

FLAGS = (
    "--no-sandbox",  # root has none, and the tests open their own pages alone
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

#: What a page may do at most, in seconds, before a test gives up.
PATIENCE_S = 15.0

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def _missing(what: str, reason: str) -> NoReturn:
    if is_required(what):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def chromium_program() -> str:
    """Return the browser's program; skip the test, or fail it, where there is none."""
    named = os.environ.get("CYME_TEST_CHROMIUM")
    found = named or (str(DEBIAN) if DEBIAN.exists() else None)
    found = found or next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None or not Path(found).exists():
        _missing("chromium", "no Chromium is here (CYME_TEST_CHROMIUM names one)")
    return found


def axe_source() -> str:
    """Return the program that looks for barriers; skip the test, or fail it, where it is not."""
    named = os.environ.get("CYME_TEST_AXE", "")
    if not named or not Path(named).exists():
        _missing("axe", "no axe-core is here (CYME_TEST_AXE names its axe.min.js)")
    return Path(named).read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a running browser."""
    if os.environ.get("CYME_TESTS_PATCHED", "1") != "0":
        _missing("chromium", "a browser is driven from a process that is not patched only; set "
                 "CYME_TESTS_PATCHED=0")  # fmt: skip
    program = chromium_program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What went wrong on a page: errors on its console, exceptions, requests that failed.

    A test that means to make something go wrong says so with ``allow`` before.
    """

    def __init__(self, page: Page) -> None:
        self._allowed: list[re.Pattern[str]] = []
        self.troubles: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.troubles.append(f"exception: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def allow(self, pattern: str) -> None:
        """Expect troubles whose text matches."""
        self._allowed.append(re.compile(pattern))

    def check(self) -> None:
        """Fail if anything went wrong that was not expected."""
        unexpected = [
            trouble
            for trouble in self.troubles
            if not any(pattern.search(trouble) for pattern in self._allowed)
        ]
        assert unexpected == []

    def _hear(self, message: ConsoleMessage) -> None:
        # What a reply with an error leaves on the console is told by the reply already.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.troubles.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        # A page that is left, or a screen, gives up what it waits for.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"request: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            request = response.request
            self.troubles.append(f"reply: {request.method} {request.url}: {response.status}")


#: Has a page note the words of its messages, which go by themselves after some seconds.
NOTE_MESSAGES = """(() => {
  window.messages = [];
  const note = (node) => {
    if (node.classList?.contains("toast")) window.messages.push(node.textContent);
  };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver((changes) => changes.forEach((each) => each.addedNodes.forEach(note)))
      .observe(document.body, { childList: true, subtree: true });
  });
})()"""

OpenPage = Callable[..., Page]


def violations(page: Page, source: str, rules: Sequence[str] = ()) -> list[str]:
    """Return the barriers that a page has for some of its users, in words.

    Args:
        page: The page.
        source: The program that looks for them.
        rules: The rules to look at; all of them without.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(source)
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:4]}"
        for each in found["violations"]
    ]


def overflow_px(page: Page) -> int:
    """Return by how much the page is wider than its window, in pixels."""
    found: int = page.evaluate(
        "Math.max(document.documentElement.scrollWidth,"
        " document.querySelector('#main')?.scrollWidth ?? 0) - innerWidth"
    )
    return max(0, found)

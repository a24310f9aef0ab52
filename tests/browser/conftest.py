"""Fixtures of the tests that use the page as people do: a browser, and real branches."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import (
    DESKTOP,
    NOTE_MESSAGES,
    PATIENCE_S,
    PHONE,
    OpenPage,
    Watch,
    axe_source,
    chromium,
)
from tests.system.branches import Branch
from tests.system.clusters import know_each_other, launch_all
from tests.system.conftest import room, start_branch, target  # noqa: F401 - fixtures

APP = "shop"
QUEUES = ("emails", "thumbnails")
INSTANCES = ("mailer", "resizer")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a running browser."""
    expect.set_options(timeout=PATIENCE_S * 1000)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the program that looks for barriers."""
    return axe_source()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Yield a function that opens the page of a branch, and sees that nothing goes wrong on it.

    ``open_page(branch, "/admin/events", phone=True, dark=True, token="cyme_...")`` returns the
    page, on which everything is there and live; its ``watch`` is ``page.watch``.
    """
    opened: list[tuple[Page, Watch]] = []

    def open_one(
        branch: Branch,
        path: str = "/admin/",
        *,
        phone: bool = False,
        dark: bool = False,
        is_closed: bool = False,
    ) -> Page:
        context = browser.new_context(
            base_url=branch.url,
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type] # a typed dict
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        context.add_init_script(NOTE_MESSAGES)
        page = context.new_page()
        watch = Watch(page)
        page.watch = watch  # type: ignore[attr-defined] # for the test that opened it
        opened.append((page, watch))
        if is_closed:
            watch.allow(r"reply: GET .*/admin/session/: 401")
        page.goto(path)
        if not is_closed:
            wait_live(page)
        return page

    yield open_one
    for page, _ in opened:
        page.context.close()
    for _, watch in opened:
        watch.check()


def wait_live(page: Page) -> None:
    """Wait until a screen stands, and the page hears what happens."""
    page.wait_for_selector("#main:not([aria-busy]) h1")
    page.wait_for_selector(".connection[data-tone=ok]")


@pytest.fixture(scope="session")
def cluster(browser: Browser) -> Iterator[tuple[Branch, Branch]]:
    """Yield two branches that run something, for tests that leave everything as it is."""
    path = Path(tempfile.mkdtemp(prefix="cyme-"))
    branches = (Branch(path / "branch1", name="branch1"), Branch(path / "branch2", name="branch2"))
    try:
        launch_all(branches)
        know_each_other(branches)
        furnish(branches[0])
        yield branches
    finally:
        for branch in branches:
            branch.clean_up()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def workshop(browser: Browser) -> Iterator[Branch]:
    """Yield a branch that tests change; each of them keeps to an app of its own."""
    path = Path(tempfile.mkdtemp(prefix="cyme-"))
    branch = Branch(path / "branch1", ("--capacity", "2000", "--label", "zone=a"))
    try:
        branch.start()
        yield branch
    finally:
        branch.clean_up()
        shutil.rmtree(path, ignore_errors=True)


def furnish(branch: Branch) -> None:
    """Have a branch know an app with queues, and run instances of it."""
    branch.put(f"/{APP}/", max_concurrency=2)
    for queue in QUEUES:
        branch.put(f"/{APP}/queues/{queue}/")
    for instance, queue in zip(INSTANCES, QUEUES, strict=True):
        branch.put(f"/{APP}/instances/{instance}/", queues=[queue], pool="threads")
    for instance in INSTANCES:
        branch.running(APP, instance)

"""The pictures of the documentation: the screens of a small cluster that has things to do.

They are written to ``docs/_pictures/``, in light, in dark and as on a phone, and documentation that
is built afterwards shows them. All that can be seen on them has happened.
"""

from __future__ import annotations

import os
import re
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import DESKTOP, PHONE, OpenPage
from tests.browser.deeds import GO, WORKER_MS
from tests.house.checkout import ROOT
from tests.system.branches import Branch
from tests.system.clusters import know_each_other
from tests.system.target import Target
from tests.waiting import eventually

StartBranch = Callable[..., Branch]

PICTURES = ROOT / "docs" / "_pictures"
LOOKS = {"": ("light", DESKTOP), "-dark": ("dark", DESKTOP), "-phone": ("light", PHONE)}

WAITING = 42

#: By picture: where it is taken, and what must be seen on it.
SCREENS = {
    "overview": ("", f"Messages waiting{WAITING}"),
    "branches": ("branches", "branch2"),
    "app": ("apps/shop", "importer"),
    "instances": ("instances", "thumbnails"),
    "instance": ("instances/mailer", "What happened"),
    "queues": ("queues", "reports"),
    "tasks": ("tasks?app=shop&queue=emails", "WebhookFailed"),
    "logs": ("logs?instance=mailer,thumbnails", "WebhookFailed"),
    "events": ("events", "instance.created"),
}

MAILS = 24
PNG = b"\x89PNG\r\n\x1a\n"


def ask_for(branch: Branch, queue: str, url: str, *, verb: str = "GET") -> str:
    """Queue a request; return the id of its task."""
    reply = branch.ask(verb, f"/shop/queue/{queue}/{url}")
    assert reply.status == 202, reply.body
    return str(reply.member("uuid"))


def furnish(first: Branch, target: Target) -> None:
    """Have a cluster run a shop: something done, failed, waiting, stopped and given up."""
    first.put("/shop/", pool="threads", max_concurrency=4)
    first.put("/billing/", pool="threads")
    for queue in ("emails", "thumbnails", "imports", "reports"):
        first.put(f"/shop/queues/{queue}/")
    shop = "/shop/instances"
    first.put(f"{shop}/mailer/", queues=["emails"], branch="branch1")
    first.put(f"{shop}/thumbnails/", queues=["thumbnails"], branch="branch2")
    first.put(f"{shop}/importer/", queues=["imports"], branch="branch2", celery_app="shop.imports")
    first.put(f"{shop}/nightly/", queues=["imports"], branch="branch1", is_enabled=False)
    for name in ("mailer", "thumbnails"):
        first.running("shop", name)
    os.kill(first.main_pid("shop", "mailer"), signal.SIGKILL)
    eventually(lambda: first.instance("shop", "mailer")["restarts"] == 1, 40.0)
    first.running("shop", "mailer")
    for number in range(WAITING):
        ask_for(first, "reports", f"{target.url}/reports/{2026 - number}")
    ends = []
    for number in range(MAILS):
        order = 4711 + number
        if number == MAILS // 2:
            ends.append(ask_for(first, "emails", f"http://127.0.0.1:9/orders/{order}/invoice"))
        ends += [
            ask_for(first, "emails", f"{target.url}/orders/{order}/confirmation", verb="POST"),
            ask_for(first, "thumbnails", f"{target.url}/pictures/{order}/small"),
        ]
    for uuid in ends:
        assert first.ask("GET", f"/shop/query/{uuid}/wait/?timeout=30").status == 200
    eventually(lambda: first.instance("shop", "importer")["state"] == "disabled", 60.0)


def take(page: Page, path: Path) -> None:
    """Write a picture of what the window shows, and see that it is one of that size."""
    page.screenshot(path=path, animations="disabled", caret="hide")
    head = path.read_bytes()[:24]
    assert head.startswith(PNG)
    assert page.viewport_size is not None
    size = struct.unpack(">II", head[16:])
    assert size == (page.viewport_size["width"], page.viewport_size["height"])


@pytest.mark.timeout(300)  # a busy machine takes its time to start workers
def test_the_documentation_has_its_pictures(
    start_branch: StartBranch, open_page: OpenPage, target: Target
) -> None:
    options = ("--restarts-max", "2")
    first = start_branch(*options, "--label", "zone=a", name="branch1")
    second = start_branch(*options, "--label", "zone=b", name="branch2")
    know_each_other([first, second])
    furnish(first, target)
    page = open_page(first, "/admin/about")
    expect(page.get_by_role("link", name=re.compile("Overview [1-9]"))).to_be_visible(
        timeout=WORKER_MS
    )
    PICTURES.mkdir(exist_ok=True)
    for name, (address, seen) in SCREENS.items():
        page.evaluate(GO, f"/admin/{address}")
        expect(page.locator("#main:not([aria-busy])")).to_contain_text(seen, timeout=WORKER_MS)
        for suffix, (scheme, size) in LOOKS.items():
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # a literal
            page.set_viewport_size(size)  # type: ignore[arg-type] # a typed dict
            expect(page.locator("#main")).to_contain_text(seen)
            take(page, PICTURES / f"{name}{suffix}.png")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type] # a typed dict

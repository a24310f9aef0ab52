"""What the tests of several screens do on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from secrets import token_hex

from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import PATIENCE_S
from tests.browser.conftest import wait_live
from tests.system.branches import Branch
from tests.waiting import eventually

#: A worker has so long to start, to stop, or to be started anew, in milliseconds.
WORKER_MS = 40_000

#: Goes to an address as a link does, and loads nothing anew.
GO = "async (path) => (await import('/admin/static/js/router.js')).go(path)"


_TAKE_MESSAGE = """(words) => {
  const at = window.messages.findIndex((message) => message.includes(words));
  return at >= 0 && Boolean(window.messages.splice(at, 1));
}"""


def press(place: Page | Locator, name: str) -> None:
    """Press the button that is called exactly so."""
    place.get_by_role("button", name=name, exact=True).click()


def dialog(page: Page, name: str) -> Locator:
    """Return the open dialog whose title begins so."""
    found = page.get_by_role("dialog", name=re.compile(f"^{re.escape(name)}"))
    expect(found).to_be_visible()
    return found


def told(page: Page, words: str) -> None:
    """See that a message of the page says so, and forget it: the next may say the same."""
    eventually(lambda: page.evaluate(_TAKE_MESSAGE, words), PATIENCE_S)


def no_dialog(page: Page) -> None:
    """See that no dialog is open."""
    expect(page.get_by_role("dialog")).to_have_count(0)


def log_in(page: Page, branch: Branch, role: str) -> None:
    """Go on as somebody with a token of that role."""
    reply = branch.ask(
        "PUT",
        f"/branches/{branch.name}/tokens/{role}-{token_hex(4)}/?role={role}",
        headers={"Authorization": f"Bearer {branch.admin_token}"},
    )
    assert reply.status == 201, reply.body
    page.evaluate(
        """async (token) => {
            const reply = await fetch("/admin/session/", {
                method: "POST", body: JSON.stringify({ token }),
                headers: { "Content-Type": "application/json" },
            });
            if (!reply.ok) throw new Error(await reply.text());
        }""",
        reply.member("token"),
    )
    page.reload()
    wait_live(page)


def queue_urls(branch: Branch, app: str, queue: str, count: int) -> Sequence[str]:
    """Queue requests of a path that always answers; return the ids of the tasks."""
    ids = []
    for _ in range(count):
        reply = branch.ask("GET", f"/{app}/queue/{queue}/{branch.url}/ping/")
        assert reply.status == 202, reply.body
        ids.append(str(reply.member("uuid")))
    return ids

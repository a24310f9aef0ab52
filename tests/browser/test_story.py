"""A day with the page: from the first app to the end of a branch, and nothing is reloaded."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import OpenPage, violations
from tests.browser.deeds import WORKER_MS, dialog, no_dialog, press, told
from tests.system.branches import Branch
from tests.system.clusters import know_each_other

StartBranch = Callable[..., Branch]

#: A branch that is gone is held to have failed within this, in milliseconds, on a busy machine too.
FAILED_MS = 40_000


def go(page: Page, *names: str, key: str) -> None:
    """Go to a screen by its keys, and on by the links of these names."""
    page.locator("h1").focus()
    page.keyboard.press("g")
    page.keyboard.press(key)
    for name in names:
        page.locator("#main").get_by_role("link", name=name, exact=True).first.click()
        expect(page.locator("h1")).to_have_text(name)


def create_all(page: Page) -> None:
    """Create an app, a queue, and an instance that consumes from it."""
    go(page, key="a")
    press(page.locator(".screen-head"), "Create app")
    form = dialog(page, "Create an app")
    form.get_by_label("Name").fill("shop")
    form.get_by_label("Pool").select_option("threads")
    press(form, "Create")
    expect(page).to_have_url(re.compile("/admin/apps/shop$"))

    go(page, key="q")
    press(page.locator(".screen-head"), "Declare queue")
    form = dialog(page, "Declare a queue")
    form.get_by_label("Name").fill("orders")
    press(form, "Declare")
    expect(page).to_have_url(re.compile("/admin/queues/shop/orders$"))

    go(page, key="i")
    press(page.locator(".screen-head"), "Create instance")
    form = dialog(page, "Create an instance")
    form.get_by_label("Name", exact=True).fill("packer")
    form.get_by_label("Queues").fill("orders")
    press(form, "Create")
    expect(page).to_have_url(re.compile("/admin/instances/packer$"))


def state(page: Page, word: str) -> None:
    expect(page.locator(".instance-state")).to_have_text(word, timeout=WORKER_MS)


def queue(page: Page, url: str) -> None:
    """Queue a request, and see its reply."""
    page.get_by_role("textbox", name="URL").fill(url)
    press(page, "Queue it")
    followed = page.locator(".task-followed")
    expect(followed).to_contain_text(url)
    expect(followed.locator(".task-state")).to_have_text("done", timeout=WORKER_MS)
    expect(followed.locator(".task-answer")).to_contain_text("HTTP 200")


def change(page: Page, axe: str) -> list[str]:
    """Change the app once the change was shown; return the barriers of what showed it."""
    go(page, "shop", key="a")
    press(page, "Edit")
    form = dialog(page, "Edit shop")
    form.get_by_label("Most tasks at a time").fill("3")
    press(form, "Review changes")
    review = dialog(page, "Change shop?")
    expect(review.get_by_role("row", name="Most tasks at a time")).to_contain_text("3")
    expect(review).to_contain_text("1 instance will restart, warmly: packer")
    found = barriers(page, axe)
    press(review, "Apply")
    told(page, "The app shop was changed")
    no_dialog(page)
    return found


def barriers(page: Page, axe: str) -> list[str]:
    """Return the barriers of the screen that stands."""
    page.wait_for_selector("#main:not([aria-busy]) h1")
    return violations(page, axe)


@pytest.mark.timeout(240)  # a busy machine takes its time to start workers and to miss a branch
def test_a_day_with_the_page(start_branch: StartBranch, open_page: OpenPage, axe: str) -> None:
    first = start_branch(name="branch1")
    second = start_branch("--label", "zone=b", name="branch2")
    know_each_other([first, second])
    page = open_page(first)
    page.watch.allow("reply: .*wait/.*: 504")  # type: ignore[attr-defined] # the task is not done yet
    page.evaluate("window.isTheSame = true")
    found: dict[str, list[str]] = {"nothing yet": barriers(page, axe)}

    create_all(page)
    state(page, "running")
    go(page, key="t")
    queue(page, f"{first.url}/ping/?order=1")
    found["a result"] = barriers(page, axe)

    go(page, "packer", key="i")
    state(page, "running")
    os.kill(first.main_pid("shop", "packer"), signal.SIGKILL)
    restarts = page.locator(".facts").first
    expect(restarts).to_contain_text(re.compile(r"Restarts\s*1\D"), timeout=WORKER_MS)
    state(page, "running")
    happened = page.locator(".event-list")
    expect(happened).to_contain_text("its process was ended by signal 9")
    found["a worker that came back"] = barriers(page, axe)

    press(page, "Log")
    log = page.get_by_role("log")
    expect(log).to_contain_text("ready.")
    (uuid,) = page.evaluate(
        "async (path) => [(await (await fetch(path)).json()).uuid]",
        f"/shop/queue/orders/{first.url}/ping/?order=2",
    )
    expect(log).to_contain_text(f"{uuid}] succeeded", timeout=WORKER_MS)
    found["a log"] = barriers(page, axe)

    found["a change"] = change(page, axe)
    assert first.member("/shop/", "max_concurrency") == 3

    go(page, key="b")
    line = page.get_by_role("row", name=re.compile("branch2"))
    expect(line).to_contain_text("alive")
    second.kill()
    expect(line).to_contain_text("failed", timeout=FAILED_MS)
    found["a branch that failed"] = barriers(page, axe)
    go(page, key="o")
    needs = page.get_by_role("region", name="Needs attention")
    expect(needs).to_contain_text("Branch failed: branch2", timeout=FAILED_MS)
    found["an alert"] = barriers(page, axe)
    needs.get_by_role("link", name="Open the branch").click()
    expect(page.get_by_text("This branch has failed")).to_be_visible()

    assert page.evaluate("window.isTheSame")
    assert {place: troubles for place, troubles in found.items() if troubles} == {}

"""The screen of tasks: a URL is queued, followed to its result, and found again."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.chromium import OpenPage
from tests.browser.conftest import wait_live
from tests.browser.deeds import GO, WORKER_MS, dialog, log_in, press, queue_urls
from tests.system.branches import Branch
from tests.system.target import Target


def test_a_url_is_queued_and_followed_to_its_result(
    workshop: Branch, open_page: OpenPage, target: Target
) -> None:
    workshop.put("/web/")
    workshop.put("/web/queues/calls/")
    workshop.put("/web/instances/caller/", queues=["calls"], pool="threads")
    workshop.running("web", "caller")
    page = open_page(workshop, "/admin/tasks?app=web&queue=calls")
    expect(page.get_by_label("Queue", exact=True)).to_have_value("calls")
    url = page.get_by_role("textbox", name="URL")
    url.fill("no url")
    press(page, "Queue it")
    expect(page.get_by_text("A whole URL: it begins with")).to_be_visible()

    url.fill(f"{workshop.url}/web/?a=1&b=%2F")
    press(page, "Queue it")
    page.watch.allow("reply: .*wait/.*: 504")  # type: ignore[attr-defined]
    followed = page.locator(".task-followed")
    expect(followed.locator(".task-state")).to_have_text("done", timeout=WORKER_MS)
    expect(followed.locator(".task-answer")).to_contain_text("HTTP 400")
    expect(followed).to_contain_text("urn:cyme:problem:invalid-request")

    page.get_by_label("Verb").select_option("POST")
    page.get_by_label("Body").fill('{"order": 7}')
    url.fill(f"{target.url}/hook")
    press(page, "Queue it")
    expect(followed).to_contain_text("/hook")
    expect(followed.locator(".task-state")).to_have_text("done", timeout=WORKER_MS)
    expect(followed.locator(".task-answer")).to_contain_text("HTTP 200")
    assert [seen.body for seen in target.requests_of("POST")] == [b'{"order": 7}']

    page.get_by_label("Verb").select_option("HEAD")
    url.fill("http://127.0.0.1:1/nobody")
    page.get_by_text("When, and how often").click()
    page.get_by_label("Priority").fill("77")
    page.watch.allow("reply: HEAD .*: 400")  # type: ignore[attr-defined]
    press(page, "Queue it")
    expect(page.get_by_role("alert").filter(has_text="400").first).to_be_visible()
    page.get_by_label("Priority").fill("")
    press(page, "Queue it")
    expect(followed).to_contain_text("nobody")
    expect(followed.locator(".task-state")).to_have_text("failed", timeout=WORKER_MS)
    expect(followed).to_contain_text("WebhookFailed: http://127.0.0.1:1/nobody")
    expect(followed).to_contain_text("Traceback")

    recent = page.get_by_role("table", name="Recent tasks")
    row = recent.get_by_role("row", name=re.compile("nobody"))
    expect(row).to_contain_text("failed", timeout=WORKER_MS)
    page.get_by_label("State", exact=True).select_option("FAILURE")
    page.get_by_role("searchbox", name="Search tasks").fill("nobody")
    expect(recent.locator("tbody:not(.pad) tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("state=FAILURE"))
    row.get_by_role("link", name="http://127.0.0.1:1/nobody").click()
    expect(page.locator("h1")).to_have_text("Task")
    expect(page.locator(".task-state")).to_have_text("failed")
    expect(page.get_by_role("link", name="caller")).to_be_visible()


def test_a_task_is_looked_up_by_its_id(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/later/")
    workshop.put("/later/queues/line/")
    (uuid,) = queue_urls(workshop, "later", "line", 1)
    page = open_page(workshop, "/admin/tasks?app=later")
    page.watch.allow("reply: .*wait/.*: 504")  # type: ignore[attr-defined]
    press(page, "Look it up")
    expect(page.get_by_text("An id, such as the reply")).to_be_visible()
    page.get_by_label("Id", exact=True).fill(uuid)
    press(page, "Look it up")
    expect(page).to_have_url(re.compile(f"/admin/tasks/later/{uuid}$"))
    expect(page.locator(".task-state")).to_have_text("waiting")
    workshop.put("/later/instances/late/", queues=["line"], pool="threads")
    expect(page.locator(".task-state")).to_have_text("done", timeout=WORKER_MS)
    expect(page.locator(".task-result")).to_contain_text("pong")


def test_a_viewer_looks_and_queues_nothing(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/quiet/")
    workshop.put("/quiet/queues/line/")
    page = open_page(workshop, "/admin/tasks?app=quiet")
    log_in(page, workshop, "viewer")
    expect(page.get_by_text("Your token may only look")).to_be_visible()
    expect(page.get_by_role("textbox", name="URL")).to_be_disabled()
    expect(
        page.get_by_role("table", name="Recent tasks").or_(page.locator(".empty"))
    ).to_be_visible()


def test_a_viewer_follows_a_task_whose_result_is_not_shown(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/hidden/")
    uuid = "d2c1a0e4-6b1f-4a86-9a55-6a3f5a0b1c2d"
    moment = "2026-03-14T09:26:53Z"
    seen = {"uuid": uuid, "name": "shop.report", "app": "hidden", "state": "SUCCESS", "at": moment}
    asked: list[Route] = []
    page = open_page(workshop, "/admin/about")
    log_in(page, workshop, "viewer")
    page.watch.allow("reply: GET .*/wait/.*: 403")  # type: ignore[attr-defined]
    page.route("**/cluster/tasks/*", lambda route: asked.append(route))  # noqa: PLW0108 - Playwright wants a function
    page.goto(f"/admin/tasks/hidden/{uuid}")
    expect(page.locator(".task-outcome")).to_contain_text("takes the role operator")
    asked[0].fulfill(json=[seen])
    expect(page.locator(".task-state")).to_have_text("done")
    expect(page.locator(".task-story")).to_contain_text("shop.report")


def test_trouble_is_told_and_goes_away_when_it_is_over(
    workshop: Branch, open_page: OpenPage
) -> None:
    page = open_page(workshop, "/admin/about")
    page.watch.allow("request: |reply: GET .*/cluster/tasks/.*: 503")  # type: ignore[attr-defined]
    page.route(
        "**/cluster/tasks/*",
        lambda route: route.fulfill(
            status=503,
            content_type="application/problem+json",
            body='{"title": "It is away", "status": 503, "detail": "Ask again in a moment."}',
        ),
    )
    page.goto("/admin/tasks")
    expect(page.locator(".failed")).to_contain_text("Ask again in a moment.")
    # A page that nobody sees asks for nothing by itself.
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.unroute("**/cluster/tasks/*")
    press(page, "Try again")
    expect(page.locator(".failed")).to_have_count(0)


def test_whoever_has_no_app_learns_what_comes_first(
    start_branch: Callable[..., Branch], open_page: OpenPage
) -> None:
    branch = start_branch()
    page = open_page(branch, "/admin/tasks")
    expect(page.get_by_text("There is no app yet")).to_be_visible()
    expect(page.get_by_role("button", name="Queue it")).to_be_disabled()
    branch.put("/new/")
    page.reload()
    expect(page.get_by_text("new has no queue yet")).to_be_visible()
    page.get_by_role("link", name="Declare a queue").click()
    dialog(page, "Declare a queue")


def test_the_list_of_tasks_is_held_still_while_it_is_paused(
    workshop: Branch, open_page: OpenPage
) -> None:
    page = open_page(workshop)
    page.clock.install()
    page.goto("/admin/tasks")
    wait_live(page)
    with page.expect_response("**/cluster/tasks/**"):
        page.clock.run_for(3_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    press(page, "Pause")
    page.clock.run_for(9_000)
    with page.expect_response("**/cluster/tasks/**"):
        press(page, "Resume")
    assert len([url for url in asked if "/cluster/tasks/" in url]) == 1


def test_why_a_task_failed_is_told_where_its_result_is_kept_elsewhere(
    workshop: Branch, open_page: OpenPage
) -> None:
    uuid = "faa20e2c-4c04-4350-9588-9a990725f2cc"
    seen = {"uuid": uuid, "name": "shop.sell", "app": "shop", "instance": "seller", "queue": None,
            "state": "FAILURE", "at": "2026-01-01T00:00:00Z", "runtime_s": None, "url": None,
            "exception": "ValueError('no stock of <b>tea</b>')", "retries": 0}  # fmt: skip
    workshop.put("/sold/")
    page = open_page(workshop, "/admin/about")
    page.watch.allow("reply: .*wait/.*: 504")  # type: ignore[attr-defined]
    page.route("**/cluster/tasks/?q=*", lambda route: route.fulfill(json=[seen]))
    page.evaluate(GO, f"/admin/tasks/sold/{uuid}")
    expect(page.get_by_text("ValueError('no stock of <b>tea</b>')")).to_be_visible()
    expect(page.locator(".task-state")).to_have_text("failed")

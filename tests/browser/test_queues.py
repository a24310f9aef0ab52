"""The screens of queues: what waits, who consumes, and how a queue is emptied."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chromium import OpenPage
from tests.browser.deeds import dialog, log_in, press, queue_urls, told
from tests.system.branches import Branch


def test_a_queue_from_its_declaration_to_its_end(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/post/")
    workshop.put("/post/instances/reader/", is_enabled=False)
    page = open_page(workshop, "/admin/queues?app=post")
    press(page.locator(".screen-head"), "Declare queue")
    form = dialog(page, "Declare a queue")
    form.get_by_label("Name").fill("letters")
    form.get_by_text("Exchange, routing and options").click()
    form.get_by_label("Options, as JSON").fill("{no json")
    press(form, "Declare")
    expect(form).to_contain_text("A JSON object")
    form.get_by_label("Options, as JSON").fill('{"durable": true, "no_such": 1}')
    page.watch.allow("reply: PUT .*: 400")  # type: ignore[attr-defined]
    press(form, "Declare")
    expect(form).to_contain_text("no_such")
    form.get_by_label("Options, as JSON").fill('{"durable": true}')
    press(form, "Declare")
    expect(page).to_have_url(re.compile("/admin/queues/post/letters$"))
    expect(page.locator(".detail-side")).to_contain_text('"durable": true')

    press(page, "Have it consume")
    told(page, "reader consumes from letters")
    assert workshop.instance("post", "reader")["queues"] == ["letters"]
    press(page, "Have reader stop consuming")
    told(page, "reader no longer consumes from letters")

    queue_urls(workshop, "post", "letters", 7)
    page.reload()
    expect(page.locator(".stat", has_text="Waiting")).to_contain_text("7", timeout=20_000)
    expect(page.get_by_text("Work waits and nobody takes it")).to_be_visible()
    press(page, "Purge")
    asked = dialog(page, "Purge 7 messages from letters?")
    confirm = asked.get_by_role("button", name="Purge 7", exact=True)
    expect(confirm).to_be_disabled()
    queue_urls(workshop, "post", "letters", 1)
    asked.get_by_role("textbox").fill("letters")
    confirm.click()
    told(page, "8 messages purged from letters")
    expect(page.locator(".stat", has_text="Waiting")).to_contain_text("0", timeout=20_000)
    press(page, "Purge")
    told(page, "No message waits in letters")

    press(page, "Change")
    form = dialog(page, "Change letters")
    form.get_by_label("Routing key").fill("post.letters")
    press(form.locator(".dialog-foot"), "Change")
    expect(page.locator(".detail-side")).to_contain_text("post.letters")
    press(page, "Delete")
    press(dialog(page, "Delete the queue letters?"), "Delete")
    told(page, "The queue letters was deleted")
    assert workshop.get("/post/queues/") == []


def test_a_purge_that_would_take_more_than_was_shown_is_refused(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/rush/")
    workshop.put("/rush/queues/hour/")
    queue_urls(workshop, "rush", "hour", 1)
    page = open_page(workshop, "/admin/queues?app=rush")
    page.watch.allow("reply: POST .*purge.*: 409")  # type: ignore[attr-defined]
    press(page.get_by_role("row", name="hour"), "Purge")
    asked = dialog(page, "Purge 1 message from hour?")
    queue_urls(workshop, "rush", "hour", 110)
    asked.get_by_role("textbox").fill("hour")
    press(asked, "Purge 1")
    told(page, "Nothing was purged: the queue grew meanwhile")
    reply = workshop.ask("GET", "/rush/queues/hour/stats/")
    assert reply.member("depth") == 111


def test_a_viewer_empties_nothing(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/dry/")
    workshop.put("/dry/queues/sea/")
    page = open_page(workshop, "/admin/queues/dry/sea")
    log_in(page, workshop, "viewer")
    for name in ("Change", "Purge", "Delete"):
        refused = page.get_by_role("button", name=name, exact=True)
        expect(refused).to_be_disabled()
        expect(refused).to_have_attribute("title", re.compile("may only look"))
    page.goto("/admin/queues/dry/none")
    expect(page.get_by_text("The app dry has no queue none")).to_be_visible()

"""The screens of apps: a change is shown with what it does to the instances before it is made."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chromium import OpenPage
from tests.browser.deeds import dialog, log_in, no_dialog, press, told
from tests.system.branches import Branch


def test_an_app_is_created_and_changed_once_the_change_was_shown(
    workshop: Branch, open_page: OpenPage
) -> None:
    page = open_page(workshop, "/admin/apps")
    press(page.locator(".screen-head"), "Create app")
    form = dialog(page, "Create an app")
    press(form, "Create")
    expect(form).to_contain_text("Give it a name.")
    form.get_by_label("Name").fill("store")
    form.get_by_text("Broker and results").click()
    form.get_by_label("Broker").fill("nonsense")
    press(form, "Create")
    expect(form).to_contain_text("A URL such as redis://host:6379/0.")
    form.get_by_label("Broker").fill("amqp://guest:first-secret@127.0.0.1:5672//")
    press(form, "Create")
    expect(page).to_have_url(re.compile("/admin/apps/store$"))
    expect(page.locator(".detail-side")).to_contain_text("amqp://guest:********@127.0.0.1:5672//")
    expect(page.locator("body")).not_to_contain_text("first-secret")

    for name, given in (("follows", {}), ("says", {"pool": "solo"})):
        workshop.put(f"/store/instances/{name}/", is_enabled=False, **given)
    expect(page.locator(".row-list").first).to_contain_text("says")

    press(page, "Edit")
    form = dialog(page, "Edit store")
    form.get_by_label("Pool").select_option("threads")
    broker = form.get_by_label("Broker")
    expect(broker).to_have_value("amqp://guest:********@127.0.0.1:5672//")
    broker.fill("amqp://guest:********@localhost:5672//")
    press(form, "Review changes")
    review = dialog(page, "Change store?")
    expect(review.get_by_role("row", name="Pool")).to_contain_text("not set (prefork)")
    expect(review.get_by_role("row", name="Broker")).to_contain_text("@localhost:5672")
    expect(review).to_contain_text("2 instances will take it at the next start: follows, says")
    expect(page.locator("body")).not_to_contain_text("first-secret")
    press(review, "Back")
    broker.fill("amqp://guest:********@127.0.0.1:5672//")
    press(form, "Review changes")
    review = dialog(page, "Change store?")
    expect(review).to_contain_text("1 instance will take it at the next start: follows")
    expect(review.get_by_role("row", name="Broker")).to_have_count(0)
    press(review, "Apply")
    told(page, "The app store was changed")
    now = workshop.get("/store/")
    assert isinstance(now, dict)
    assert (now["pool"], now["broker"]["hostname"]) == ("threads", "127.0.0.1")
    assert workshop.instance("store", "says")["pool"] == "solo"


def test_an_app_goes_with_all_that_is_in_it(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/mall/")
    workshop.put("/mall/queues/orders/")
    for name in ("one", "two"):
        workshop.put(f"/mall/instances/{name}/", is_enabled=False)
    page = open_page(workshop, "/admin/apps/mall")
    press(page, "Delete")
    asked = dialog(page, "Delete the app mall?")
    expect(asked).to_contain_text("2 instances: one, two")
    expect(asked).to_contain_text("1 declaration of a queue: orders")
    expect(asked.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    asked.get_by_role("textbox").fill("mall")
    press(asked, "Delete")
    told(page, "The app mall was deleted")
    expect(page).to_have_url(re.compile("/admin/apps$"))
    assert "mall" not in str(workshop.get("/"))


def test_a_change_names_the_workers_that_restart(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/redo/")
    workshop.put("/redo/instances/redone/")
    workshop.running("redo", "redone")
    page = open_page(workshop, "/admin/apps/redo")
    log_in(page, workshop, "admin")
    press(page, "Edit")
    form = dialog(page, "Edit redo")
    form.get_by_text("Which code runs").click()
    form.get_by_label("Environment").fill("KEY=very-secret\nOTHER=x")
    press(form, "Review changes")
    review = dialog(page, "Change redo?")
    expect(review).to_contain_text("1 instance will restart, warmly: redone")
    expect(review.get_by_role("row", name="Environment")).to_contain_text("KEY=(hidden)")
    expect(review).not_to_contain_text("very-secret")
    press(review, "Apply")
    told(page, "The app redo was changed")
    no_dialog(page)
    expect(page.locator(".detail-side")).to_contain_text("KEY=********")
    page.goto("/admin/instances/redone")
    expect(page.locator(".event-list")).to_contain_text("its settings changed", timeout=40_000)


def test_the_list_of_apps_teaches_and_finds(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/findable/", celery_app="proj.mail:app")
    page = open_page(workshop, "/admin/apps")
    page.keyboard.press("/")
    page.keyboard.type("proj.mail")
    expect(page.locator(".tally")).to_have_text(re.compile("^1 of "))
    expect(page).to_have_url(re.compile(r"\?q=proj\.mail$"))
    page.get_by_role("link", name="findable").click()
    expect(page.locator(".detail-main")).to_contain_text("cyme -a findable instances.add w1")
    page.goto("/admin/apps/nowhere")
    expect(page.get_by_text("There is no app nowhere")).to_be_visible()

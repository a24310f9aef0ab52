"""Dialogs: what keys do in them, and what becomes of what they asked for."""

from __future__ import annotations

import json
from secrets import token_hex

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.chromium import PATIENCE_S, OpenPage
from tests.browser.deeds import dialog, no_dialog, press, told
from tests.system.branches import Branch
from tests.waiting import eventually


def held(page: Page, path: str) -> list[Route]:
    """Have requests for a path wait, and return the list that they are put into."""
    waiting: list[Route] = []

    def take(route: Route) -> None:
        waiting.append(route)

    page.route(f"**{path}", take)
    return waiting


def held_one(page: Page, waiting: list[Route]) -> Route:
    """Return the request that waits, once it does."""
    eventually(lambda: page.evaluate("1") and bool(waiting), PATIENCE_S)
    return waiting[0]


def begin(page: Page) -> Locator:
    """Begin to create an app; return the dialog."""
    page.get_by_role("button", name="Create app").first.click()
    return dialog(page, "Create an app")


def test_enter_in_a_field_is_as_a_press_and_counts_once(
    workshop: Branch, open_page: OpenPage
) -> None:
    app = f"enter-{token_hex(3)}"
    page = open_page(workshop, "/admin/apps")
    place = begin(page)
    place.get_by_label("Most tasks at a time").press("Enter")
    expect(place.get_by_role("alert").filter(has_text="name")).to_be_visible()
    place.get_by_label("Name").fill(app)
    waiting = held(page, f"/{app}/")
    place.get_by_label("Name").press("Enter")
    first = held_one(page, waiting)
    place.get_by_label("Name").press("Enter")
    expect(place.get_by_role("button", name="Create")).to_have_attribute("aria-disabled", "true")
    first.continue_()
    told(page, f"The app {app} was created")
    no_dialog(page)
    assert len(waiting) == 1


def test_a_press_that_failed_keeps_the_focus(workshop: Branch, open_page: OpenPage) -> None:
    app = f"focus-{token_hex(3)}"
    page = open_page(workshop, "/admin/apps")
    page.watch.allow(r"reply: PUT .*: 507")  # type: ignore[attr-defined]
    place = begin(page)
    place.get_by_label("Name").fill(app)
    waiting = held(page, f"/{app}/")
    press(place, "Create")
    fail(held_one(page, waiting))
    expect(place.get_by_role("alert").filter(has_text="The disk is full")).to_be_visible()
    expect(place.get_by_role("button", name="Create")).to_be_focused()
    press(place, "Cancel")
    no_dialog(page)


def test_what_fails_after_its_dialog_was_closed_is_told_all_the_same(
    workshop: Branch, open_page: OpenPage
) -> None:
    app = f"late-{token_hex(3)}"
    page = open_page(workshop, "/admin/apps")
    page.watch.allow(r"reply: PUT .*: 507")  # type: ignore[attr-defined]
    place = begin(page)
    place.get_by_label("Name").fill(app)
    waiting = held(page, f"/{app}/")
    press(place, "Create")
    late = held_one(page, waiting)
    page.keyboard.press("Escape")
    no_dialog(page)
    fail(late)
    told(page, "The disk is full")


def fail(route: Route) -> None:
    """Answer as a branch whose disk is full."""
    problem = {"status": 507, "title": "Not stored", "detail": "The disk is full."}
    route.fulfill(status=507, content_type="application/problem+json", body=json.dumps(problem))

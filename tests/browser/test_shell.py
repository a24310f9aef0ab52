"""What stands around every screen: addresses, keys, the palette, colours, the stream."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import DESKTOP, PHONE, OpenPage, overflow_px, violations
from tests.browser.conftest import APP, wait_live
from tests.browser.deeds import GO
from tests.system.branches import Branch

Cluster = tuple[Branch, Branch]

SCREENS = {
    "": "Overview",
    "branches": "Branches",
    "branches/branch2": "branch2",
    "apps": "Apps",
    "instances": "Instances",
    "queues": "Queues",
    "tasks": "Tasks",
    "logs": "Logs",
    "events": "Events",
    "tokens": "Tokens",
    "about": "About and keys",
    "none/at/all": "There is no such screen",
}


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_every_screen_opens_by_its_address_and_has_no_barrier(
    cluster: Cluster, open_page: OpenPage, axe: str, look: str
) -> None:
    page = open_page(cluster[0], dark=look == "dark", phone=look == "phone")
    rules = ["color-contrast"] if look == "dark" else []
    found: dict[str, list[str]] = {}
    for path, title in SCREENS.items():
        if look == "light":
            page.goto(f"/admin/{path}")
            wait_live(page)
        else:
            page.evaluate(GO, f"/admin/{path}")
        expect(page.locator("#main:not([aria-busy]) h1")).to_have_text(title)
        assert page.title().endswith("branch1 · Cyme")
        found[path] = troubles(page, axe, rules)
        if look == "dark":  # and as on a phone in the dark
            page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a typed dict
            found[path] += troubles(page, axe, rules)
            page.set_viewport_size(DESKTOP)  # type: ignore[arg-type] # a typed dict
    assert {path: words for path, words in found.items() if words} == {}


def test_names_that_break_nowhere_stay_inside_the_window(
    start_branch: object, open_page: OpenPage
) -> None:
    branch: Branch = start_branch()  # type: ignore[operator]
    app, queue, name = "W" * 60, "Q" * 60, "M" * 60
    branch.put(f"/{app}/")
    branch.put(f"/{app}/queues/{queue}/")
    branch.put(f"/{app}/instances/{name}/", queues=[queue], is_enabled=False)
    page = open_page(branch)
    titles = {
        f"apps/{app}": app, f"instances/{name}": name, f"queues/{app}/{queue}": queue,
        "apps": "Apps", "instances": "Instances", "queues": "Queues", "events": "Events",
        f"logs?instance={name}": "Logs", "": "Overview",
    }  # fmt: skip
    wide = {}
    for path, title in titles.items():
        page.evaluate(GO, f"/admin/{path}")
        expect(page.locator("#main:not([aria-busy]) h1")).to_have_text(title)
        expect(page.locator("#main")).to_contain_text(re.compile("W{60}|Q{60}|M{60}"))
        for look, size in {"desktop": DESKTOP, "phone": PHONE}.items():
            page.set_viewport_size(size)  # type: ignore[arg-type] # a typed dict
            wide[path[:4], look] = overflow_px(page)
    assert {place: px for place, px in wide.items() if px} == {}


def troubles(page: Page, axe: str, rules: Sequence[str]) -> list[str]:
    """Return the barriers of a screen, and whether it is wider than its window."""
    found = violations(page, axe, rules)
    if overflow_px(page):
        found.append(f"wider than the window by {overflow_px(page)} px")
    return found


def test_keys_lead_everywhere(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0])
    page.keyboard.press("g")
    page.keyboard.press("b")
    expect(page).to_have_url(re.compile("/admin/branches$"))
    expect(page.locator("h1")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search branches")).to_be_focused()
    page.keyboard.type("branch2ge?")
    expect(page.get_by_role("searchbox")).to_have_value("branch2ge?")
    expect(page).to_have_url(re.compile(r"/admin/branches\?q=branch2ge%3F$"))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Find anything")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_palette_finds_screens_and_things(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0])
    expect(page.locator(".tiles")).to_contain_text("2 of 2")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Find anything")
    expect(box).to_be_focused()
    box.fill("mailr")
    expect(page.get_by_role("option", selected=True)).to_contain_text("mailer")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/admin/instances/mailer$"))
    page.keyboard.press("Control+k")
    box.fill("zzzz")
    expect(page.get_by_role("listbox", name="Matches")).to_contain_text("Nothing is called like")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_palette_finds_what_can_be_done_and_asks_before_it_ends_a_worker(
    cluster: Cluster, open_page: OpenPage
) -> None:
    page = open_page(cluster[0])
    expect(page.locator(".tiles")).to_contain_text("2 of 2")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Find anything")
    box.fill("stop mailer")
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_contain_text("Stop mailer")
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name="Stop mailer?")
    expect(asked).to_be_visible()
    page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    assert cluster[0].instance(APP, "mailer")["is_enabled"] is True
    page.keyboard.press("Control+k")
    box.fill("log resizer")
    expect(chosen).to_contain_text("Log of resizer")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/admin/logs\?instance=resizer$"))
    page.keyboard.press("Control+k")
    box.fill("declare")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Declare a queue")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/admin/logs\?instance=resizer$"))
    page.go_forward()
    expect(page.locator("h1")).to_have_text("Queues")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_menu_of_who_is_there_goes_when_something_else_is_pressed(
    cluster: Cluster, open_page: OpenPage
) -> None:
    page = open_page(cluster[0])
    menu = page.get_by_role("button", name="Log in with a token")
    page.get_by_label("Local operator, operator").click()
    expect(menu).to_be_visible()
    page.get_by_role("heading", name="Overview").click()
    expect(menu).to_be_hidden()
    page.get_by_label("Local operator, operator").click()
    page.get_by_role("button", name="Keys", exact=True).click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_the_chosen_colours_are_kept(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0])
    body = page.locator("body")
    light = body.evaluate("body => getComputedStyle(body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    expect(body).not_to_have_css("background-color", light)
    page.reload()
    wait_live(page)
    expect(body).not_to_have_css("background-color", light)
    page.get_by_role("button", name="As the system has it").click()
    expect(body).to_have_css("background-color", light)


def test_going_back_brings_the_screen_before(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0], "/admin/branches")
    page.get_by_role("link", name="branch2", exact=True).click()
    expect(page.locator("h1")).to_have_text("branch2")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Branches")
    page.go_forward()
    expect(page.locator("h1")).to_have_text("branch2")


def test_the_first_tab_skips_to_the_screen(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the screen")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_phone_has_the_screens_in_a_drawer(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0], phone=True)
    links = page.get_by_role("navigation", name="Screens")
    expect(links).not_to_be_visible()
    page.get_by_role("button", name="Menu").click()
    expect(links).to_be_visible()
    links.get_by_role("link", name="Branches").click()
    expect(page.locator("h1")).to_have_text("Branches")
    expect(links).not_to_be_visible()


def test_a_screen_that_fails_leaves_the_others_alone(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0])
    page.watch.allow("screens/about|The screen about failed|Failed to fetch dynamically")  # type: ignore[attr-defined]
    page.route("**/screens/about.js", lambda route: route.abort())
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.locator("h1")).to_have_text("This screen failed")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page.locator("h1")).to_have_text("Overview")


def test_the_page_lives_through_a_restart_of_its_branch(
    start_branch: object, open_page: OpenPage
) -> None:
    branch: Branch = start_branch()  # type: ignore[operator]
    page = open_page(branch)
    page.watch.allow("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY")  # type: ignore[attr-defined]
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    branch.stop()
    expect(page.locator(".banner")).to_contain_text("Branch branch1 does not answer")
    branch.start()
    expect(page.locator(".banner")).to_be_hidden()
    branch.put(f"/{APP}/")
    expect(page.locator(".lead").first).to_contain_text("1 app,")
    expect(page.locator(".step[data-state=done]")).to_contain_text("Create an app")


def test_a_branch_that_hangs_is_not_taken_for_a_calm_one(
    start_branch: object, open_page: OpenPage
) -> None:
    branch: Branch = start_branch()  # type: ignore[operator]
    page = open_page(branch)
    page.clock.install()
    page.reload()
    wait_live(page)
    assert branch.process is not None
    branch.process.send_signal(signal.SIGSTOP)
    try:
        page.clock.fast_forward("00:30")
        expect(page.locator(".banner")).to_contain_text("Branch branch1 does not answer")
        expect(page.locator(".connection")).to_have_text("Reconnecting")
    finally:
        branch.process.send_signal(signal.SIGCONT)
    expect(page.locator(".banner")).to_be_hidden()
    expect(page.locator(".connection")).to_have_text("Live")


def test_what_changed_while_the_page_heard_nothing_is_there_afterwards(
    start_branch: object, open_page: OpenPage
) -> None:
    branch: Branch = start_branch()  # type: ignore[operator]
    branch.put("/gone/")
    page = open_page(branch, "/admin/apps")
    page.watch.allow("request: ")  # type: ignore[attr-defined]
    expect(page.get_by_role("rowheader", name="gone")).to_be_visible()
    branch.stop()
    expect(page.locator(".banner")).to_be_visible()
    page.route("**/events/?rows=1", lambda route: route.abort())
    branch.start()
    branch.put("/came/")
    headers = {"Authorization": f"Bearer {branch.admin_token}"}
    assert branch.ask("DELETE", "/gone/", headers=headers).status == 200
    expect(page.get_by_role("rowheader", name="gone")).to_be_visible()
    page.unroute("**/events/?rows=1")
    expect(page.get_by_role("rowheader", name="came")).to_be_visible()
    expect(page.get_by_role("rowheader", name="gone")).to_have_count(0)
    expect(page.locator(".banner")).to_be_hidden()

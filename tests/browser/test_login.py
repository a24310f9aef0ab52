"""Logging in and out of a branch that asks for a token."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.chromium import OpenPage, violations
from tests.browser.conftest import wait_live
from tests.system.branches import Branch

StartBranch = Callable[..., Branch]

#: Has a page note what its banner says, whenever it is shown.
NOTE_BANNERS = """() => {
  window.banners = [];
  const banner = document.querySelector(".banner");
  new MutationObserver(() => banner.hidden || window.banners.push(banner.textContent))
    .observe(banner, { attributes: true, childList: true });
}"""


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_token_opens_the_page_until_it_is_revoked(
    start_branch: StartBranch, open_page: OpenPage, axe: str
) -> None:
    branch = start_branch("--require-token")
    page = open_page(branch, "/admin/events?show=people", is_closed=True)
    expect(page.get_by_role("heading", name="Log in to Cyme")).to_be_visible()
    assert violations(page, axe) == []

    page.watch.allow(r"reply: POST .*/admin/session/: 401")  # type: ignore[attr-defined]
    log_in(page, "cyme_o_guessed")
    expect(page.get_by_role("alert").first).to_contain_text("not known here")
    expect(page.get_by_label("Token")).to_be_focused()

    log_in(page, branch.admin_token)
    wait_live(page)
    expect(page).to_have_url(re.compile(r"/admin/events\?show=people$"))
    expect(page.get_by_role("row", name=re.compile("session.began"))).to_contain_text("admin")
    assert "cyme_" not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
    page.reload()
    wait_live(page)

    page.goto("/admin/tokens")
    page.get_by_role("button", name="New token").click()
    page.get_by_label("Name").fill("otto")
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Make the token").click()
    token = page.get_by_role("dialog", name="The token otto").locator("code").first.inner_text()
    assert token.startswith("cyme_o_")
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_text(token)).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("otto"))).to_contain_text("operator")

    other = open_page(branch, "/admin/branches/branch1", is_closed=True)
    log_in(other, token)
    wait_live(other)
    other.goto("/admin/tokens")
    expect(other.get_by_text("Tokens are made by administrators")).to_be_visible()
    other.watch.allow(r": 401$")  # type: ignore[attr-defined]
    other.evaluate(NOTE_BANNERS)
    page.get_by_role("row", name=re.compile("otto")).get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name=re.compile("otto"))).to_have_count(0)
    expect(other.get_by_role("heading", name="Log in to Cyme")).to_be_visible(timeout=30_000)
    expect(other.get_by_text("Your session has ended")).to_be_visible()
    assert other.evaluate("window.banners") == []

    page.get_by_label("admin, admin").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to Cyme")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Log in to Cyme")).to_be_visible()


def test_the_local_operator_may_log_in_for_more(
    start_branch: StartBranch, open_page: OpenPage
) -> None:
    branch = start_branch()
    page = open_page(branch, "/admin/tokens")
    page.get_by_role("main").get_by_role("button", name="Log in with a token").click()
    page.get_by_role("button", name="Back").click()
    wait_live(page)
    page.get_by_role("main").get_by_role("button", name="Log in with a token").click()
    log_in(page, branch.admin_token)
    wait_live(page)
    expect(page.get_by_role("rowheader", name="admin")).to_contain_text("yours")


def test_tabs_are_of_one_mind_about_who_is_there(
    start_branch: StartBranch, open_page: OpenPage
) -> None:
    branch = start_branch()
    page = open_page(branch, "/admin/tokens")
    other = page.context.new_page()
    other.goto("/admin/apps")
    wait_live(other)
    expect(other.get_by_label("Local operator, operator")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Log in with a token").click()
    log_in(page, branch.admin_token)
    expect(other.get_by_label("admin, admin")).to_be_visible()
    wait_live(page)
    page.get_by_label("admin, admin").click()
    page.get_by_role("button", name="Log out").click()
    expect(other.get_by_label("Local operator, operator")).to_be_visible()
    wait_live(other)
    expect(other).to_have_url(re.compile("/admin/apps$"))

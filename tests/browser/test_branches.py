"""The screen of the branches."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.chromium import OpenPage
from tests.browser.deeds import told
from tests.system.branches import Branch

Cluster = tuple[Branch, Branch]


def test_a_branch_is_drained_and_undrained(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0], "/admin/branches")
    line = page.get_by_role("row", name=re.compile("branch2"))
    expect(line).to_contain_text("alive")
    expect(line.get_by_role("link", name=re.compile("Its page"))).to_have_attribute(
        "href", f"{cluster[1].url}/admin/"
    )
    page.get_by_role("link", name="branch2", exact=True).click()
    page.get_by_role("button", name="Drain", exact=True).click()
    dialog = page.get_by_role("dialog", name="Drain branch2?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Drain", exact=True)).to_be_focused()
    page.get_by_role("button", name="Drain", exact=True).click()
    dialog.get_by_role("button", name="Drain").click()
    expect(page.get_by_text("This branch is drained")).to_be_visible()
    assert cluster[0].member("/branches/branch2/", "drained") is True
    page.get_by_role("button", name="Undrain").click()
    told(page, "branch2 takes instances again")
    expect(page.get_by_text("This branch is drained")).to_have_count(0)
    assert cluster[0].member("/branches/branch2/", "drained") is False


def test_what_would_move_is_told_before_it_moves(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0], "/admin/branches")
    asked = []
    page.on("request", lambda request: asked.append((request.method, urlsplit(request.url))))
    page.get_by_role("button", name="Rebalance").click()
    dialog = page.get_by_role("dialog", name="Rebalance the cluster")
    even = page.get_by_text("The branches are about equally full")
    expect(dialog.or_(even)).to_be_visible()
    if dialog.is_visible():
        expect(dialog.get_by_role("row")).not_to_have_count(1)
        dialog.get_by_role("button", name="Cancel").click()
    rebalanced = [url.query for method, url in asked if method == "PUT"]
    assert rebalanced == ["dry_run=true"]


def test_the_search_stays_in_the_address(cluster: Cluster, open_page: OpenPage) -> None:
    page = open_page(cluster[0], "/admin/branches")
    page.get_by_role("searchbox").fill("branch2")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_text("1 of 2 branches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=branch2$"))
    page.reload()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("Nothing matches")).to_be_visible()

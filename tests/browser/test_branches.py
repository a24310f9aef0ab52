"""The screen of the branches."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.chromium import OpenPage
from tests.browser.conftest import APP, INSTANCES
from tests.browser.deeds import GO, WORKER_MS, told
from tests.system.branches import Branch
from tests.system.clusters import know_each_other

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


def test_the_memory_of_a_branch_is_told_apart_from_that_of_its_workers(
    cluster: Cluster, open_page: OpenPage
) -> None:
    page = open_page(cluster[0], "/admin/instances")
    expect(page.get_by_role("row", name="resizer")).to_contain_text("running")
    homes = {cluster[0].instance(APP, name)["branch"] for name in INSTANCES}
    home = min(str(each) for each in homes)
    count = sum(cluster[0].instance(APP, name)["branch"] == home for name in INSTANCES)
    page.evaluate(
        """async ([names, home]) => {
          const { live } = await import("/admin/static/js/live.js");
          const set = live.vitals.set.bind(live.vitals);
          const usage = { memory_bytes: 2 ** 26 };
          const instances = Object.fromEntries(names.map((name) => [name, usage]));
          live.vitals.set = (told) => set({ ...told, instances,
            branches: { [home]: { ...told.branches[home], memory_bytes: 2 ** 20 * 71 } } });
          live.vitals.set(live.vitals.get());
        }""",
        [INSTANCES, home],
    )
    page.evaluate(GO, f"/admin/branches/{home}")
    expect(page.get_by_text(re.compile("^Own memory71 MB$"))).to_be_visible()
    expect(page.get_by_text(re.compile(f"^Memory of its workers{64 * count} MB$"))).to_be_visible()


def test_how_long_a_failed_branch_is_silent_grows(
    start_branch: Callable[..., Branch], open_page: OpenPage
) -> None:
    first, second = start_branch(name="branch1"), start_branch(name="branch2")
    know_each_other([first, second])
    page = open_page(first, "/admin/branches")
    line = page.get_by_role("row", name=re.compile("branch2"))
    expect(line).to_contain_text("just now")
    second.kill()
    expect(line).to_contain_text("failed", timeout=WORKER_MS)
    expect(line.get_by_role("link", name=re.compile("Its page"))).to_have_count(0)
    heard = line.locator("time")
    expect(heard).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(heard).not_to_have_text(heard.inner_text())
    page.get_by_role("link", name="branch2", exact=True).click()
    expect(page.get_by_text("This branch has failed")).to_be_visible()
    expect(page.get_by_text(re.compile("^Memory of its workers\u2013$"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Open its page"))).to_have_count(0)

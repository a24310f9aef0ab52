"""The screen of the events, and what the overview tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.chromium import OpenPage
from tests.browser.conftest import wait_live
from tests.system.branches import Branch

Cluster = tuple[Branch, Branch]


def test_events_appear_by_themselves_unless_they_are_held_back(
    cluster: Cluster, open_page: OpenPage
) -> None:
    page = open_page(cluster[0], "/admin/events")
    expect(page.get_by_role("row", name=re.compile("instance.created.*mailer"))).to_be_visible()
    cluster[1].put("/heard/")
    heard = page.get_by_role("row", name=re.compile("app.created.*heard"))
    expect(heard).to_contain_text("admin")
    expect(heard).to_contain_text("branch2")

    page.get_by_role("button", name="Pause").click()
    cluster[0].put("/held/")
    expect(page.get_by_text(re.compile(r"^[1-9]\d* new events? waiting$"))).to_be_visible()
    held = page.get_by_role("row", name=re.compile("app.created.*held"))
    expect(held).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(held).to_be_visible()

    heard.click()
    dialog = page.get_by_role("dialog", name="app.created")
    expect(dialog).to_contain_text('"app": "heard"')
    page.keyboard.press("Escape")
    for app in ("heard", "held"):
        headers = {"Authorization": f"Bearer {cluster[0].admin_token}"}
        assert cluster[0].ask("DELETE", f"/{app}/", headers=headers).status == 200


def test_filters_are_kept_in_the_address_and_what_is_shown_can_be_kept(
    cluster: Cluster, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(cluster[0], "/admin/events")
    page.get_by_role("button", name="Done by people").click()
    page.get_by_label("Kind").select_option("instance.*")
    page.get_by_role("searchbox").fill("mailer")
    expect(page).to_have_url(re.compile(r"show=people&kind=instance\.\*&q=mailer$"))
    rows = page.locator("tbody:not(.pad) tr")
    expect(rows).to_have_count(1)
    page.reload()
    wait_live(page)
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Kind")).to_have_value("instance.*")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "events.jsonl")
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["instance"] == "mailer"
    page.get_by_role("searchbox").fill("nothing like it")
    page.get_by_role("button", name="Clear the filters").click()
    expect(page).to_have_url(re.compile(r"/admin/events$"))


def test_the_overview_tells_what_needs_somebody_and_what_waits(
    cluster: Cluster, open_page: OpenPage
) -> None:
    alert = {
        "kind": "instance-disabled",
        "subject": "mailer",
        "app": "shop",
        "reason": "it failed 5 times in a row",
        "since": "2026-01-01T00:00:00Z",
    }
    queue = {"app": "shop", "name": "emails", "broker": "redis://", "depth": 12_345, "consumers": 0,
             "oldest_s": 90.0, "in_rate": 3.5, "out_rate": 0.0, "error": ""}  # fmt: skip
    page = open_page(cluster[0], "/admin/about")
    page.evaluate(
        """async ([alert, queue]) => {
          const { live } = await import("/admin/static/js/live.js");
          const set = live.vitals.set.bind(live.vitals);
          live.vitals.set = (told) => set({ ...told, alerts: [alert], queues: [queue],
            missing: ["branch2"], as_of: new Date((1e9 + 10 * 60 + 2) * 1000).toISOString(),
            tasks: { ...told.tasks, succeeded: 100, failed: 25, retried: 0, rate: 12.5,
              series: Array.from({ length: 61 }, (_, i) => [1e9 + 10 * i, i < 60 ? 100 : 1, i]),
            } });
          live.vitals.set(live.vitals.get());
        }""",
        [alert, queue],
    )
    page.keyboard.press("g")
    page.keyboard.press("o")
    needs = page.get_by_role("region", name="Needs attention")
    expect(needs).to_contain_text("Instance disabled: mailer")
    expect(needs).to_contain_text("it failed 5 times in a row")
    expect(page.get_by_role("link", name="Overview 1")).to_be_visible()
    expect(page.locator(".tiles")).to_contain_text("12,345")
    expect(page.locator(".tiles")).to_contain_text("20 %")
    expect(page.get_by_role("row", name=re.compile("emails"))).to_contain_text("12,345")
    expect(page.get_by_text("No figures came from branch2")).to_be_visible()
    chart = page.get_by_role("img", name=re.compile("Succeeded 10.s now"))
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".chart-tip")).to_contain_text("Succeeded 10/s")
    expect(page.locator(".chart-tip")).to_contain_text("Failed 5.8/s")
    needs.get_by_role("link", name="Open the instance").click()
    expect(page).to_have_url(re.compile("/admin/instances/mailer$"))

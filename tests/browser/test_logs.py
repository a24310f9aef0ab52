"""The screen of logs: followed, paused, searched, kept within bounds."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.chromium import OpenPage, overflow_px
from tests.browser.deeds import GO, dialog, press, queue_urls
from tests.system.branches import Branch


def _lines(page: Page) -> int:
    return page.locator(".log-line").count()


def test_a_log_is_followed_paused_searched_and_taken_home(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/diary/")
    workshop.put("/diary/queues/days/")
    workshop.put("/diary/instances/writer/", queues=["days"], pool="threads")
    workshop.running("diary", "writer")
    page = open_page(workshop, "/admin/instances/writer")
    press(page, "Log")
    expect(page).to_have_url(re.compile(r"/admin/logs\?instance=writer$"))
    view = page.get_by_role("log")
    expect(view).to_contain_text("ready.")
    expect(page.locator(".log-status")).to_contain_text("Following 1 log")

    (uuid,) = queue_urls(workshop, "diary", "days", 1)
    expect(view).to_contain_text(f"{uuid}] received")
    expect(view).to_contain_text("succeeded")

    press(page, "Pause")
    before = _lines(page)
    place = view.evaluate("view => view.scrollTop")
    queue_urls(workshop, "diary", "days", 3)
    resume = page.locator(".log-resume")
    expect(resume).to_have_text(re.compile(r"^[6-9] new lines · Resume$"))
    assert (_lines(page), view.evaluate("view => view.scrollTop")) == (before, place)
    resume.click()
    expect(resume).to_be_hidden()
    assert _lines(page) > before

    find = page.get_by_role("searchbox", name="Find in the log")
    find.fill("/(received/")
    expect(page.get_by_text("This is no pattern")).to_be_visible()
    find.fill("/ received$/")
    page.get_by_label("Only lines that match").check()
    expect(page.locator(".log-line")).to_have_count(4)
    expect(page.locator(".log-line mark").first).to_have_text(" received")
    expect(page.locator(".log-status")).to_contain_text("4 of ")
    expect(page).to_have_url(re.compile(r"only=1"))
    page.reload()
    expect(page.locator(".log-line")).to_have_count(4)

    with page.expect_download() as download:
        press(page, "Download")
    kept = Path(download.value.path()).read_text()
    assert download.value.suggested_filename == "writer.log"
    assert uuid in kept
    assert "ready." in kept

    page.get_by_label("Only lines that match").uncheck()
    find.fill("")
    press(page, "Wrap")
    expect(page).to_have_url(re.compile("wrap=0"))
    assert "log-wraps" not in (view.get_attribute("class") or "")
    page.get_by_label("Begin with").select_option("3600")
    expect(view).to_contain_text("ready.")
    expect(view.get_by_text("succeeded")).to_have_count(4)
    press(page, "Clear")
    expect(page.locator(".log-line")).to_have_count(0)


#: Has the reply to some requests come late, as from a branch with much to do.
_SLOW = """(path) => {
  const ask = window.fetch;
  window.fetch = async (address, ...more) => {
    if (String(address).includes(path)) await new Promise((resolve) => setTimeout(resolve, 900));
    return ask(address, ...more);
  };
}"""


def test_logs_of_several_instances_come_in_the_order_of_their_writing(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/duet/")
    for name in ("alto", "tenor"):
        workshop.put(f"/duet/queues/{name}/")
        workshop.put(f"/duet/instances/{name}/", queues=[name], pool="threads")
    for name in ("alto", "tenor"):
        workshop.running("duet", name)
    for name in ("alto", "tenor", "alto", "tenor"):
        (uuid,) = queue_urls(workshop, "duet", name, 1)
        assert workshop.ask("GET", f"/duet/query/{uuid}/wait/?timeout=20").status == 200
    page = open_page(workshop, "/admin/about")
    page.evaluate(_SLOW, "/alto/log/")
    page.evaluate(GO, "/admin/logs?app=duet&q=received&only=1")
    expect(page.locator(".log-line")).to_have_count(4)
    assert page.locator(".log-source").all_inner_texts() == ["alto", "tenor", "alto", "tenor"]

    press(page, "Choose instances")
    choice = dialog(page, "Whose logs?")
    choice.get_by_role("searchbox").fill("tenor")
    choice.get_by_label("tenor").uncheck()
    press(choice, "Show")
    expect(page).to_have_url(re.compile(r"instance=alto$"))


def test_a_pattern_that_takes_too_long_is_given_up_and_the_page_lives_on(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/slow/")
    workshop.put("/slow/instances/sloth/", pool="threads")
    workshop.running("slow", "sloth")
    page = open_page(workshop, "/admin/logs?instance=sloth&q=/^(.%2B)%2B~$/&only=1")
    fault = page.get_by_text("This pattern takes too long")
    expect(fault).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("ready.")
    find = page.get_by_role("searchbox", name="Find in the log")
    find.fill("/ready\\.$/")
    expect(fault).to_be_hidden()
    expect(page.locator(".log-line")).to_have_count(1)
    expect(page.locator(".log-line mark")).to_have_text("ready.")
    page.get_by_label("Only lines that match").uncheck()
    expect(page.locator(".log-line").nth(1)).to_be_attached()
    expect(page.locator(".log-line mark")).to_have_count(1)


def test_a_log_that_cannot_be_shown_says_why(workshop: Branch, open_page: OpenPage) -> None:
    page = open_page(workshop, "/admin/logs?instance=nobody", phone=True)
    expect(page.get_by_text("The log of nobody cannot be shown")).to_be_visible()
    expect(page.get_by_text("There is no such instance.")).to_be_visible()
    assert overflow_px(page) == 0


#: Writes more lines than are kept; what is left, and how long the writing took.
_FLOOD = """async () => {
  const { LogView } = await import("/admin/static/js/log-view.js");
  let told = {};
  const view = new LogView({ told: (state) => { told = state; } });
  document.querySelector("#main").append(view.element);
  const line = (n) => `[2026-11-21 10:00:00,000: INFO/MainProcess] line ${n}`;
  for (let n = 0; n < 14000; n += 2000) {
    view.add("w", Array.from({ length: 2000 }, (_, each) => line(n + each)));
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  view.pause();
  for (let n = 0; n < 24; n += 1) view.add("w", Array.from({ length: 500 }, () => line("late")));
  const paused = { ...told, rows: view.list.childElementCount };
  view.resume();
  const first = view.list.firstChild.textContent;
  const rows = view.list.childElementCount;
  view.close();
  view.element.remove();
  return { paused, rows, first };
}"""


def test_no_more_lines_are_kept_than_a_page_can_bear(workshop: Branch, open_page: OpenPage) -> None:
    page = open_page(workshop, "/admin/about")
    found = page.evaluate(_FLOOD)
    assert found["paused"]["rows"] == 10_000
    assert found["paused"]["waiting"] == 12_000
    assert found["rows"] == 10_000
    assert "late" in found["first"]

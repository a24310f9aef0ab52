"""The screens of instances: the list, one of them, and what is done to many at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chromium import PATIENCE_S, OpenPage, overflow_px, violations
from tests.browser.conftest import wait_live
from tests.browser.deeds import GO, WORKER_MS, dialog, log_in, no_dialog, press, queue_urls, told
from tests.system.branches import Branch
from tests.system.clusters import show
from tests.waiting import eventually

FLEET = 1000
FIRST_PAINT_MS_MAX = 1_000
UPDATE_MS_MAX = 50


def _state(page: Page, word: str) -> None:
    expect(page.locator(".instance-state")).to_have_text(word, timeout=WORKER_MS)


def test_an_instance_from_its_creation_to_its_end(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/life/")
    workshop.put("/life/queues/first/")
    workshop.put("/life/queues/second/")
    page = open_page(workshop, "/admin/instances?app=life")

    press(page.locator(".screen-head"), "Create instance")
    form = dialog(page, "Create an instance")
    form.get_by_label("Name", exact=True).fill("no/name")
    form.get_by_label("Most tasks at a time").fill("many")
    press(form, "Create")
    expect(form).to_contain_text("A whole number from 1 to 10000.")
    expect(form).to_contain_text("Letters, digits")
    form.get_by_label("Name", exact=True).fill("worker")
    form.get_by_label("Most tasks at a time").fill("2")
    form.get_by_label("Queues").fill("first")
    expect(form.get_by_label("Branch")).to_have_value("branch1")
    expect(form.get_by_label("Celery application")).to_be_disabled()
    press(form, "Create")
    expect(page).to_have_url(re.compile("/admin/instances/worker$"))
    _state(page, "running")
    expect(page.locator(".facts").first).to_contain_text("MB", timeout=WORKER_MS)

    page.get_by_label("Always ready").fill("5")
    press(page, "Set")
    expect(page.get_by_text("Not more than the most.")).to_be_visible()
    page.get_by_label("At most").fill("6")
    press(page, "Set")
    told(page, "worker runs 5 to 6 at a time")
    assert workshop.instance("life", "worker")["max_concurrency"] == 6

    page.get_by_label("Queue to consume from").select_option("second")
    press(page, "Consume from it")
    told(page, "worker consumes from second")
    press(page, "Stop consuming from first")
    told(page, "worker no longer consumes from first")
    assert workshop.instance("life", "worker")["queues"] == ["second"]

    press(page, "Stop")
    _state(page, "stopped")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_attribute(
        "title", "It is stopped already."
    )
    expect(page.locator(".event-list")).to_contain_text("is_enabled changed by local")
    press(page, "Start")
    _state(page, "running")
    press(page, "Move")
    press(dialog(page, "Move worker").locator(".dialog-foot"), "Close")
    no_dialog(page)
    press(page, "Delete")
    press(dialog(page, "Delete worker?"), "Delete")
    expect(page.get_by_text("There is no instance worker")).to_be_visible()
    assert "worker" not in str(workshop.get("/life/instances/"))


def test_a_pin_is_removed_and_set(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/pins/instances/pinned/", is_enabled=False, branch="branch1")
    page = open_page(workshop, "/admin/instances/pinned")
    press(page, "Unpin")
    told(page, "pinned may move to other branches")
    expect(page.locator(".facts").first).not_to_contain_text("(pinned)")
    assert workshop.instance("pins", "pinned")["pinned"] is False
    press(page, "Pin")
    told(page, "pinned stays on branch1")
    expect(page.locator(".facts").first).to_contain_text("branch1 (pinned)")
    assert workshop.instance("pins", "pinned")["pinned"] is True


def test_news_of_queues_leave_alone_what_is_being_chosen(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/choice/")
    for queue in ("first", "second", "third"):
        workshop.put(f"/choice/queues/{queue}/")
    workshop.put("/choice/instances/chooser/", is_enabled=False, queues=["first"])
    page = open_page(workshop, "/admin/instances/chooser")
    choice = page.get_by_label("Queue to consume from")
    choice.select_option("third")
    workshop.put("/choice/queues/fourth/")
    queue_urls(workshop, "choice", "first", 3)
    expect(choice.get_by_role("option", name="fourth")).to_be_attached()
    expect(page.locator(".queue-chip")).to_contain_text("3 waiting", timeout=20_000)
    expect(choice).to_have_value("third")


def test_what_is_pressed_and_drawn_anew_leaves_the_focus_near(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/near/")
    for queue in ("left", "right"):
        workshop.put(f"/near/queues/{queue}/")
    for name in ("near1", "near2"):
        workshop.put(f"/near/instances/{name}/", queues=["left"], is_enabled=False)
    page = open_page(workshop, "/admin/instances/near1")
    page.get_by_role("button", name="Stop consuming from left").press("Enter")
    told(page, "near1 no longer consumes from left")
    choice = page.get_by_label("Queue to consume from")
    expect(choice).to_be_focused()
    choice.select_option("right")
    add = page.get_by_role("button", name="Consume from it")
    add.press("Enter")
    told(page, "near1 consumes from right")
    expect(choice).to_have_text("left")
    expect(add).to_be_focused()

    page.evaluate(GO, "/admin/queues/near/right")
    choice = page.get_by_label("Instance that is to consume")
    expect(choice).to_have_text("near2")
    workshop.put("/near/instances/near3/", queues=[], is_enabled=False)
    expect(choice).to_have_text("near2near3")
    choice.select_option("near3")
    workshop.put("/near/instances/near4/", queues=[], is_enabled=False)
    expect(choice).to_have_text("near2near3near4")
    expect(choice).to_have_value("near3")

    page.evaluate(GO, "/admin/instances/near1")
    page.get_by_role("button", name="Delete", exact=True).press("Enter")
    press(page.get_by_role("dialog", name="Delete near1?"), "Delete")
    expect(page.get_by_text("There is no instance near1")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_a_change_is_shown_before_it_is_made_and_never_over_another(
    workshop: Branch, open_page: OpenPage
) -> None:
    workshop.put("/edit/instances/editor/", is_enabled=False)
    page = open_page(workshop, "/admin/instances/editor")
    page.watch.allow("reply: PUT .*: 412")  # type: ignore[attr-defined]
    press(page, "Edit")
    form = dialog(page, "Edit editor")
    press(form, "Review changes")
    expect(form).to_contain_text("Nothing is changed yet.")
    form.get_by_label("Pool").select_option("gevent")
    press(form, "Review changes")
    review = dialog(page, "Change editor?")
    expect(review.get_by_role("row", name="Pool")).to_contain_text("prefork")
    expect(review.get_by_role("row", name="Pool")).to_contain_text("restarts workers")
    expect(review).to_contain_text("1 instance will take it at the next start: editor")

    workshop.put("/edit/instances/editor/", arguments="--time-limit=30")
    press(review, "Apply")
    conflict = dialog(page, "Somebody changed it meanwhile")
    expect(conflict.get_by_role("row", name="Pool")).to_contain_text("gevent")
    expect(conflict.get_by_role("row", name="Worker options")).to_contain_text("--time-limit=30")
    assert workshop.instance("edit", "editor")["pool"] == "prefork"
    press(conflict, "Apply mine over it")
    told(page, "editor was changed")
    no_dialog(page)
    now = workshop.instance("edit", "editor")
    assert (now["pool"], now["arguments"]) == ("gevent", "--time-limit=30")

    press(page, "Edit")
    form = dialog(page, "Edit editor")
    form.get_by_label("Worker options").fill("--no-such-option")
    press(form, "Review changes")
    page.watch.allow("reply: PUT .*: 400")  # type: ignore[attr-defined]
    press(dialog(page, "Change editor?"), "Apply")
    expect(form.get_by_label("Worker options")).to_be_focused()
    expect(form.locator(".field-fault", has_text="no-such-option")).to_be_visible()
    form.get_by_label("Pool").select_option("")
    form.get_by_label("Worker options").fill("")
    press(form, "Review changes")
    press(dialog(page, "Change editor?"), "Apply")
    told(page, "editor was changed")
    assert workshop.instance("edit", "editor")["own"] == ["is_enabled"]


def test_many_are_found_by_filters_and_told_at_once(workshop: Branch, open_page: OpenPage) -> None:
    for number in range(12):
        labels = {"zone": "a"} if number % 2 else {}
        workshop.put(f"/many/instances/m{number:02}/", is_enabled=False, labels=labels)
    page = open_page(workshop, "/admin/instances?app=many&label=zone=a")
    expect(page.locator(".tally")).to_have_text(re.compile(r"^6 of "))
    page.get_by_label("Label").select_option("")
    page.keyboard.press("/")
    page.keyboard.type("m0")
    expect(page.locator(".tally")).to_have_text(re.compile(r"^10 of "))
    expect(page).to_have_url(re.compile(r"\?app=many&q=m0$"))
    page.reload()
    wait_live(page)
    expect(page.locator(".tally")).to_have_text(re.compile(r"^10 of "))

    page.get_by_label("Select all instances").check()
    bar = page.get_by_role("region", name="Selected")
    expect(bar).to_contain_text("10 instances selected")
    expect(bar.get_by_role("button", name="Stop", exact=True)).to_have_attribute(
        "title", "It is stopped already."
    )
    press(bar, "Delete")
    asked = dialog(page, "Delete 10 instances?")
    expect(asked.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    asked.get_by_role("textbox").fill("delete 10")

    def refuse(route: Route) -> None:
        if route.request.method != "DELETE":
            route.continue_()
            return
        problem = {"type": "urn:x", "title": "Full", "status": 507, "detail": "The disk is full."}
        route.fulfill(status=507, content_type="application/problem+json", body=json.dumps(problem))

    page.watch.allow("reply: DELETE .*m03/: 507")  # type: ignore[attr-defined]
    page.route("**/many/instances/m03/", refuse)
    press(asked, "Delete")
    outcome = dialog(page, "Delete 10 instances")
    expect(outcome).to_contain_text("9 of 10 deleted, 1 failed")
    expect(outcome).to_contain_text("m03 The disk is full.")
    press(outcome.locator(".dialog-foot"), "Close")
    expect(page.locator(".tally")).to_have_text(re.compile(r"^1 of "))
    press(page, "Clear filters")
    expect(page).to_have_url(re.compile("/admin/instances$"))


def test_the_list_is_walked_by_keys(workshop: Branch, open_page: OpenPage) -> None:
    for name in ("k1", "k2", "k3"):
        workshop.put(f"/keys/instances/{name}/", is_enabled=False)
    page = open_page(workshop, "/admin/instances?app=keys")
    page.locator("tr", has_text="k1").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selected")
    expect(bar).to_contain_text("1 instance selected")
    page.keyboard.press("Shift+ArrowDown")
    expect(bar).to_contain_text("2 instances selected")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/admin/instances/k3$"))


def test_a_viewer_learns_why_nothing_can_be_changed(workshop: Branch, open_page: OpenPage) -> None:
    workshop.put("/seen/instances/seen/", is_enabled=False)
    page = open_page(workshop, "/admin/instances/seen")
    log_in(page, workshop, "viewer")
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_have_attribute("title", re.compile("may only look"))
    start.click(force=True)
    told(page, "Your token may only look")
    assert workshop.instance("seen", "seen")["is_enabled"] is False
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_disabled()
    page.goto("/admin/instances")
    wait_live(page)
    create = page.locator(".screen-head").get_by_role("button", name="Create instance")
    expect(create).to_be_disabled()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_details_and_forms_have_no_barrier(
    workshop: Branch, open_page: OpenPage, axe: str, look: str
) -> None:
    workshop.put("/plain/")
    workshop.put("/plain/queues/orders/")
    workshop.put("/plain/instances/plain/", is_enabled=False, queues=["orders"])
    page = open_page(workshop, "/admin/instances/plain", dark=look == "dark", phone=look == "phone")
    page.watch.allow("reply: .*wait/.*: 504")  # type: ignore[attr-defined] # there is no such task
    expect(page.locator(".event-list")).to_contain_text("created")
    assert (violations(page, axe), overflow_px(page)) == ([], 0)
    press(page, "Edit")
    form = dialog(page, "Edit plain")
    form.get_by_label("Pool").select_option("threads")
    assert violations(page, axe) == []
    press(form, "Review changes")
    dialog(page, "Change plain?")
    assert violations(page, axe) == []
    for path in ("apps/plain", "queues/plain/orders", "tasks/plain/0-0"):
        page.goto(f"/admin/{path}")
        wait_live(page)
        expect(page.locator(".panel").first).to_be_visible()
        assert (path, violations(page, axe), overflow_px(page)) == (path, [], 0)


@pytest.fixture
def fleet(workshop: Branch) -> Iterator[Branch]:
    """Yield a branch with a thousand instances, none of them running."""

    def create(numbers: range) -> None:
        connection = workshop.connection()
        headers = {"Authorization": f"Bearer {workshop.admin_token}"}
        for number in numbers:
            path = f"/fleet/instances/f{number:04}/?is_enabled=false"
            connection.request("PUT", path, headers=headers)
            reply = connection.getresponse()
            body = reply.read()
            assert reply.status == 201, body
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, [range(each, FLEET, 4) for each in range(4)]))
    yield workshop
    deleted = workshop.ask(
        "DELETE",
        "/fleet/?force=true",
        headers={"Authorization": f"Bearer {workshop.admin_token}"},
    )
    assert deleted.status == 200, deleted.body


# What is asserted is the work of the page, whatever else its machine does; what a watch at the wall
# says is printed beside it.

#: Notes when the rows of a page were drawn first, in milliseconds since the way to it began.
_NOTE_PAINT = """(() => {
  const look = () => {
    const isThere = /^1,000 /.test(document.querySelector(".tally")?.textContent ?? "")
      && document.querySelectorAll("tbody:not(.pad) tr").length > 5;
    if (isThere) setTimeout(() => { window.paintedMs = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""

#: Notes how long it takes from a row that the stream brings to the frame that shows it.
_NOTE_UPDATES = """async () => {
  const { live } = await import("/admin/static/js/live.js");
  const put = live.instances.put.bind(live.instances);
  window.updatesMs = [];
  live.instances.put = (row) => {
    const begun = performance.now();
    const stop = live.instances.subscribe(() => {
      stop();
      requestAnimationFrame(() => setTimeout(() => updatesMs.push(performance.now() - begun)));
    });
    return put(row);
  };
}"""
STREAMED = 4

#: Changes one row as the stream does, and waits for the frame that shows it, each time.
_UPDATES = """async (count) => {
  const { live } = await import("/admin/static/js/live.js");
  const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  for (let number = 0; number < count; number += 1) {
    live.instances.put({ ...live.instances.get("f0003"), reason: `look ${number}` });
    await new Promise((resolve) => {
      const stop = live.instances.subscribe(() => { stop(); resolve(); });
    });
    await drawn();
  }
}"""
UPDATES = 15


class Busy:
    """How long the thread of a page has worked: what else the machine does is not its fault."""

    def __init__(self, page: Page) -> None:
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._before = self._total_ms()

    def lap_ms(self) -> float:
        """Return how long it worked since this was asked last, in milliseconds."""
        before, self._before = self._before, self._total_ms()
        return self._before - before

    def _total_ms(self) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        seconds: float = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
        return seconds * 1000


@pytest.mark.timeout(300)  # a busy machine takes its time to make a thousand
def test_a_thousand_instances_are_there_within_a_second(fleet: Branch, open_page: OpenPage) -> None:
    page = open_page(fleet, "/admin/about")
    page.add_init_script(_NOTE_PAINT)
    busy = Busy(page)
    page.goto("/admin/instances?app=fleet")
    painted_ms = eventually(lambda: page.evaluate("window.paintedMs"), PATIENCE_S)
    assert busy.lap_ms() < FIRST_PAINT_MS_MAX
    show("1,000 instances: from their address to the first paint", painted_ms, "ms")
    wait_live(page)
    line = page.locator("tr", has_text="f0003")
    expect(line).to_be_visible()
    assert page.locator("tbody:not(.pad) tr").count() < 100

    busy.lap_ms()
    page.evaluate(_UPDATES, UPDATES)
    assert busy.lap_ms() / UPDATES < UPDATE_MS_MAX
    expect(line).to_contain_text(f"look {UPDATES - 1}")

    page.evaluate(_NOTE_UPDATES)
    for number in range(STREAMED):
        fleet.put(f"/fleet/queues/changed{number}/")
        fleet.put("/fleet/instances/f0003/", queues=[f"changed{number}"])
        expect(line).to_contain_text(f"changed{number}")
    # A frame is noted when it was drawn, and the last row may be seen a moment before.
    eventually(lambda: page.evaluate("updatesMs.length") >= STREAMED)
    updates_ms = page.evaluate("updatesMs")
    show("1,000 instances: from an event to the frame that shows it", median(updates_ms), "ms")
    page.locator("tbody:not(.pad) tr").first.focus()
    page.keyboard.press("End")
    expect(page.locator("tr", has_text="f0999")).to_be_focused()

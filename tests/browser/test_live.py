"""What the page knows of the cluster, from one stream and from lists."""

from __future__ import annotations

from playwright.sync_api import Route

from tests.browser.chromium import OpenPage
from tests.system.branches import Branch

INSTANCES = "**/instances/?details=1"

TOLD = """() => live.instances.get("kept").max_concurrency === 7
    && !live.instances.get("gone") && Boolean(live.instances.get("fresh"))"""


def test_a_list_that_comes_late_hides_nothing_newer(workshop: Branch, open_page: OpenPage) -> None:
    for name in ("kept", "gone"):
        workshop.put(f"/late/instances/{name}/", is_enabled=False, max_concurrency=2)
    page = open_page(workshop, "/admin/about")
    page.evaluate("import('/admin/static/js/live.js').then((m) => { window.live = m.live; })")
    page.wait_for_function("live.instances.get('kept')?.max_concurrency === 2")
    page.evaluate("live.ready")

    def answer_late(route: Route) -> None:
        answer = route.fetch()
        workshop.put("/late/instances/kept/", max_concurrency=7)
        workshop.ask("DELETE", "/late/instances/gone/")
        workshop.put("/late/instances/fresh/", is_enabled=False)
        page.wait_for_function(TOLD)
        route.fulfill(response=answer)

    page.route(INSTANCES, answer_late)
    page.evaluate("live.reload()")
    assert page.evaluate(TOLD), "the list is as it was before that"
    page.unroute(INSTANCES)
    page.evaluate("live.reload()")
    assert page.evaluate(TOLD)

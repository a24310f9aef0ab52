"""Modules of the page that decide and touch nothing: asked in the browser that runs them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import OpenPage
from tests.system.branches import Branch

PLAIN = {
    "name": "w", "own": [], "queues": ["a"], "pool": "prefork", "is_enabled": True, "env": None,
    "min_concurrency": 1, "max_concurrency": 1, "celery_app": None, "arguments": None,
}  # fmt: skip


@pytest.fixture
def page(cluster: tuple[Branch, Branch], open_page: OpenPage) -> Page:
    return open_page(cluster[0], "/admin/about")


def ask(page: Page, module: str, expression: str, given: Any = None) -> Any:
    """Return what an expression over a module ``m`` and a value ``given`` comes to."""
    return page.evaluate(
        "async ([path, given]) => { const m = await import(path); return (" + expression + ")}",
        [f"/admin/static/js/{module}.js", given],
    )


def test_texts_of_a_form_become_values_or_faults(page: Page) -> None:
    read = """given.map(([name, text, before]) =>
        m.readText(m.FIELDS.find((field) => field.name === name), text, before))"""
    known = {"url": "redis://:********@h:1/0", "password": "p"}
    values = [
        ("max_concurrency", " 12 ", None, 12),
        ("pool", "", None, None),
        ("queues", "b, a b", None, ["a", "b"]),
        ("is_enabled", "false", None, False),
        ("labels", "zone=a, disk=ssd", None, {"zone": "a", "disk": "ssd"}),
        ("env", "A=1\nB=x=y\n\nC=", None, {"A": "1", "B": "x=y", "C": ""}),
        ("broker", "amqp://u:p@h//", None, "amqp://u:p@h//"),
        (
            "broker", "redis://:********@i:1/0", known,
            {"url": "redis://:********@i:1/0", "password": "p"},
        ),
    ]  # fmt: skip
    got = ask(page, "worker-fields", read, [list(each[:3]) for each in values])
    assert got == [{"value": each[3]} for each in values]
    faulty = [
        ("max_concurrency", "0", None),
        ("max_concurrency", "1e9", None),
        ("queues", "a/b", None),
        ("labels", "zone", None),
        ("env", "no variable", None),
        ("workdir", "here", None),
        ("workdir", "/a/../b", None),
        ("broker", "localhost", None),
        ("broker", "redis://:********@i:1/0", {"url": "", "password": "********"}),
        ("result_backend", "redis://:********@i:1/0", None),
    ]
    got = ask(page, "worker-fields", read, [list(each) for each in faulty])
    assert [sorted(each) for each in got] == [["fault"]] * len(faulty), got


def test_differences_tell_what_happens_and_hide_secrets(page: Page) -> None:
    differ = "m.differences(given.noun, given.before, given.changes, given.app ?? null)"

    def effects(changes: dict[str, object], **given: object) -> dict[str, str]:
        found = ask(page, "worker-diff", differ, {
            "noun": "instance", "before": {**PLAIN, **given}, "changes": changes,
        })  # fmt: skip
        return {each["field"]["name"]: each["effect"] for each in found}

    assert effects({"queues": ["a"], "max_concurrency": 3}) == {"max_concurrency": "live"}
    assert effects({"max_concurrency": 3}, pool="threads") == {"max_concurrency": "restart"}
    assert effects({"max_concurrency": 3, "pool": "solo"}) == {
        "pool": "restart",
        "max_concurrency": "restart",
    }
    assert effects({"pool": "prefork"}) == {"pool": "none"}
    assert effects({"is_enabled": False, "arguments": "-E"}) == {
        "is_enabled": "start-stop",
        "arguments": "restart",
    }
    before = {"pool": None, "env": {"KEY": "old-secret", "GONE": "x"}}
    (found,) = ask(page, "worker-diff", differ, {
        "noun": "app", "before": before, "changes": {"env": {"KEY": "new-secret", "NEW": "y"}},
    })  # fmt: skip
    assert "secret" not in found["from"] + found["to"]
    assert found["from"].splitlines() == ["GONE=(hidden)", "KEY=(hidden)"]
    assert found["to"].splitlines() == ["KEY=(another value)", "NEW=(hidden)"]


def test_a_change_of_an_app_passes_over_what_instances_say_themselves(page: Page) -> None:
    fate = """m.consequences(
        m.differences("app", given.app, given.changes), given.rows, { ofApp: true })"""
    rows = [
        {**PLAIN, "name": "follows"},
        {**PLAIN, "name": "says", "own": ["pool"]},
        {**PLAIN, "name": "rests", "own": ["is_enabled"], "is_enabled": False},
    ]
    given = {"app": {"pool": None}, "changes": {"pool": "gevent"}, "rows": rows}
    found = ask(page, "worker-diff", fate, given)
    assert {name: each for name, each in found.items() if each} == {
        "restarting": ["follows"],
        "waiting": ["rests"],
    }
    given["changes"] = {"is_enabled": False}
    found = ask(page, "worker-diff", fate, given)
    assert {name: each for name, each in found.items() if each} == {"stopping": ["follows", "says"]}


def test_lines_are_cut_levelled_and_merged(page: Page) -> None:
    cut = """(() => { const cutter = new m.LineCutter();
        return [...given.map((chunk) => cutter.take(chunk)), cutter.end()]; })()"""
    assert ask(page, "log-lines", cut, ["a\nb", "c\r\nd\n", "e"]) == [["a"], ["bc", "d"], [], ["e"]]
    coloured = [r"\x1b[1;31mERROR\x1b[0m at \x1b]0;", "\n", r"C:\x1b\[a]"]
    plain = [[], [r"ERROR at \x1b]0;"], [], [r"C:\x1b\[a]"]]
    assert ask(page, "log-lines", cut, coloured) == plain
    level = "given.map((line) => m.levelOf(line))"
    lines = [
        "[2026-11-21 10:00:00,000: ERROR/MainProcess] no",
        "[2026-11-21 10:00:00,000: WARNING/MainProcess] ERROR is a word here",
        "an ERROR that is only told of",
        "  File 'x', line 3",
    ]
    assert ask(page, "log-lines", level, lines) == ["error", "warning", "", ""]
    merge = "m.mergedLogs(new Map(given))"
    one, two = "[2026-11-21 10:00:0{},000: INFO/M] x", "[2026-11-21 10:00:0{},500: INFO/M] y"
    found = ask(page, "log-lines", merge, [
        ["a", [one.format(1), "rest of it", one.format(3)]], ["b", [two.format(1), two.format(2)]],
    ])  # fmt: skip
    assert found == [
        {"source": "a", "texts": [one.format(1), "rest of it"]},
        {"source": "b", "texts": [two.format(1), two.format(2)]},
        {"source": "a", "texts": [one.format(3)]},
    ]


def test_jobs_go_on_past_those_that_fail_and_begin_no_more_when_stopped(page: Page) -> None:
    run = """(async () => {
        const stop = new AbortController();
        let atOnce = 0, most = 0;
        const outcome = await m.inTurn([...Array(12).keys()], async (item) => {
          most = Math.max(most, ++atOnce);
          await new Promise((resolve) => setTimeout(resolve));
          atOnce -= 1;
          if (item === 2) throw new Error("no");
          if (item === 6) stop.abort();
        }, { signal: stop.signal });
        return { most, failed: outcome.failed.map((each) => each.item), left: outcome.left };
    })()"""
    found = ask(page, "in-turn", f"await {run}")
    assert found["failed"] == [2]
    assert found["most"] == 4
    assert 11 in found["left"]


def test_events_lead_to_what_they_are_about(page: Page) -> None:
    address = """given.map((event) =>
        m.subjectOf(event, (...parts) => parts.join("/")).getAttribute("href"))"""
    unconsumed = {"alert": "queue-unconsumed", "subject": "reports"}
    failed = {"alert": "branch-failed", "subject": "branch2"}
    events = [
        ({"kind": "instance.failed", "app": "shop", "instance": "mailer"}, "instances/mailer"),
        ({"kind": "alert.firing", "app": "shop", "data": unconsumed}, "queues/shop/reports"),
        ({"kind": "alert.firing", "branch": "branch1", "data": failed}, "branches/branch2"),
        ({"kind": "branch.failed", "branch": "branch2"}, "branches/branch2"),
        ({"kind": "app.created", "app": "shop", "branch": "branch1"}, "apps/shop"),
    ]
    assert ask(page, "event-row", address, [event for event, _ in events]) == [
        place for _, place in events
    ]


def test_nothing_waits_in_an_empty_queue(page: Page) -> None:
    queues = [{"depth": 0, "oldest_s": 0.0}, {"depth": 2, "oldest_s": 7.0}, None]
    assert ask(page, "format", "given.map(m.oldestWait)", queues) == ["–", "7 s", "–"]  # noqa: RUF001 - the page's dash


def test_a_moment_says_in_which_zone_it_is(page: Page) -> None:
    assert ask(page, "format", "m.moment(given)", 1_795_301_060.0) == (
        ask(page, "format", "m.day(given)", 1_795_301_060.0)
        + page.evaluate(
            """' ' + new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
                 .formatToParts(1795301060000).find((part) => part.type === 'timeZoneName').value"""
        )
    )


def test_whoever_logs_out_is_in_no_trouble(page: Page) -> None:
    kinds = ["session.ended", "instance.killed", "worker.ended", "instance.failed", "session.began"]
    tones = ask(page, "event-row", "given.map((kind) => m.toneOfKind(kind))", kinds)
    assert tones == ["info", "warn", "warn", "bad", "info"]

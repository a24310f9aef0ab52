"""What ``cyme top`` shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.cli.live.figures import Figures
from cyme.cli.live.view import SORTS, View, view_lines
from cyme.cli.text.clean import columns_of
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli


def figures(instances: int = 40) -> Figures:
    return Figures(
        cluster="default",
        branch="b1",
        branches=[
            {"id": f"b{number}", "state": "alive", "instances": 20, "url": "http://h:1",
             "vitals": {"load": 0.5, "memory_bytes": 7e7, "hub_lag_s": 0.004}}
            for number in range(9)
        ],
        instances=[
            {"name": f"w{number}", "app": "shop", "state": "running", "branch": f"b{number % 9}",
             "restarts": number % 3, "queues": ["orders"], "reason": "it answers",
             "vitals": {"cpu": number / 10, "memory_bytes": 1e8 - number, "slots": 4,
                        "busy": number % 4, "uptime_s": 60.0 * number}}
            for number in range(instances)
        ],
        queues=[
            {"name": "orders", "app": "shop", "depth": 12, "consumers": 40, "oldest_s": 3.0,
             "in_rate": 4.5, "out_rate": 4.25, "error": ""}
        ],
        tasks={"rate": 12.5, "failure_rate": 0.25},
        alerts=[{"kind": "queue-deep", "subject": "orders", "reason": "12 wait\x1b[2J"}] * 3,
        at=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 12), (200, 60)])
def test_fits_the_terminal(width: int, height: int) -> None:
    lines = view_lines(figures(), View(), width, height, colour=False)
    assert len(lines) <= height
    assert all(columns_of(line) <= width for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_shows_the_whole_where_there_is_no_terminal() -> None:
    lines = view_lines(figures(), View(), None, None, colour=False)
    assert sum(line.startswith("w") for line in lines) == 40
    assert "tasks 12.5/s, failed 0.25/s; branches 9 alive; instances 40 running" in lines[1]
    assert "! queue-deep orders: 12 wait\\x1b[2J" in lines[2]
    assert "! and 1 more: cyme get alerts" in lines


def test_says_why_instances_do_not_run_where_their_reasons_have_no_room() -> None:
    seen = figures(6)
    for row, state in zip(
        seen.instances, ("unknown", "running", "backoff", "disabled"), strict=False
    ):
        row["state"], row["reason"] = state, f"{state} it is"  # type: ignore[index]
    lines = view_lines(seen, View(), 80, 40, colour=False)
    assert "! w0 is unknown: unknown it is" in lines
    assert "! w2 is backoff: backoff it is" in lines
    assert "! and 1 more: cyme status" in lines
    lines = view_lines(seen, View(), 160, 40, colour=False)
    assert not any(line.startswith("! w") for line in lines)
    assert any(line.startswith("w0") and line.endswith("unknown it is") for line in lines)


def test_an_alert_does_not_name_twice_what_it_is_about() -> None:
    url = "amqp://h//"
    alert = {"kind": "broker-lost", "subject": url, "reason": f"The broker {url} is away."}
    lines = view_lines(replace(figures(), alerts=[alert]), View(), 80, 40, colour=False)
    assert f"! broker-lost: The broker {url} is away." in lines


@pytest.mark.parametrize(
    ("sort", "first"),
    [("cpu", "w39"), ("memory", "w0"), ("name", "w0"), ("state", "w0"), ("branch", "w0"),
     ("restarts", "w2"), ("slots", "w3")],
)  # fmt: skip
def test_sorts_instances(sort: str, first: str) -> None:
    assert set(SORTS) == {"cpu", "memory", "name", "state", "branch", "restarts", "slots"}
    lines = view_lines(figures(), View(sort=sort), 120, 40, colour=False)
    assert names(lines)[0] == first
    turned = view_lines(figures(), View(sort=sort, reverse=True), 120, 40, colour=False)
    assert names(turned)[0] != first


def test_scrolls_as_far_as_there_is_something() -> None:
    view = View(sort="name", skip=5)
    lines = view_lines(figures(), view, 80, 24, colour=False)
    assert any("6-" in line and "of 40 by name" in line for line in lines)
    view.skip = 1000
    lines = view_lines(figures(), view, 80, 24, colour=False)
    assert names(lines)[-1] == "w9"
    assert view.skip < 40


def test_says_why_there_are_no_new_figures() -> None:
    trouble = view_lines(figures(), View(trouble="b1 is away\n"), 80, 24, colour=False)
    assert trouble[0].endswith("b1 is away\\n")
    paused = view_lines(figures(), View(is_paused=True), 80, 24, colour=True)
    assert "PAUSED" in paused[0]
    told = view_lines(figures(), View(shows_help=True), 80, 24, colour=False)
    assert any("c by cpu" in line for line in told)


def test_an_empty_cluster_is_told_too() -> None:
    nothing = Figures("default", "b1", [], [], [])
    lines = view_lines(nothing, View(), 80, 24, colour=False)
    assert {"no branch", "no queue", "no instance"} <= set(lines)


@pytest.mark.usefixtures("url")
def test_is_told_once_where_nobody_looks_on(cli: Cli, branch: FakeBranch) -> None:
    branch.client.simulate_put("/shop/")
    branch.client.simulate_put("/shop/instances/w1/")
    lines = cli("top").lines
    assert lines[0].startswith("cyme test by branch1")
    assert names(lines) == ["w1"]


def names(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines if line.startswith("w")]

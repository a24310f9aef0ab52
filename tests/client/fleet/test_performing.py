"""Applying fleets to a cluster: the branch's own API behind the client."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.client import Client, ConnectionFailed, NotFound, Reply, Request
from cyme.client.fleet import (
    Action,
    Fleet,
    FleetApp,
    Plan,
    Prune,
    apply,
    export,
    observe,
    parse,
    plan,
)
from tests.api.branch import FakeBranch
from tests.client.cluster import VIEWER_TOKEN, Meddling, transport

TEXT = """
[apps.shop]
broker = "amqp://me:${PASSWORD}@host:5672/v"
max_concurrency = 4
env = { MODE = "prod", API_KEY = "$KEY" }

[apps.shop.queues.orders]
routing_key = "orders.#"
exchange_type = "topic"
options = { durable = true }

[apps.shop.queues.mails]

[apps.shop.instances.w1]
queues = ["orders", "mails"]

[apps.shop.instances.w2]
is_enabled = false
min_concurrency = 2
branch = "branch1"

[apps.other]
"""
ENVIRON = {"PASSWORD": "p%40s%2Fs", "KEY": "p@s/s"}


@pytest.fixture
def wanted() -> Fleet:
    return parse(TEXT, environ=ENVIRON)


def steps(client: Client, wanted: Fleet, prune: Prune = Prune.NOTHING) -> Plan:
    return plan(observe(client), wanted, prune)


def test_applying_twice_changes_nothing_the_second_time(client: Client, wanted: Fleet) -> None:
    planned = steps(client, wanted)
    seen = []
    outcome = apply(client, planned, lambda change, error: seen.append((change.title, error)))
    assert outcome.is_complete
    assert outcome.text() == "\n".join(f"done: {each.title}" for each in planned.changes)
    assert seen == [(each.title, None) for each in planned.changes]
    assert observe(client).apps["shop"] == wanted.apps["shop"]
    assert not steps(client, wanted, Prune.ALL)
    shown = client.get("shop").instances["w2"]
    assert (shown.max_concurrency, shown.min_concurrency, shown.pinned) == (4, 2, True)


def test_reads_a_cluster_in_three_requests(client: Client, way: Meddling, wanted: Fleet) -> None:
    apply(client, steps(client, wanted))
    way.asked.clear()
    observe(client)
    assert way.asked == ["GET /", "GET /queues/", "GET /instances/"]


def test_makes_of_one_fleet_another(client: Client, wanted: Fleet) -> None:
    apply(client, steps(client, wanted))
    other = parse(
        """
        [apps.shop]
        broker = "amqp://me:other@host:5672/v"
        env = { MODE = "dev" }
        [apps.shop.queues.orders]
        exchange = "ex"
        [apps.shop.instances.w1]
        queues = ["orders"]
        max_concurrency = 9
        [apps.third.instances.w2]
        is_enabled = false
        """,
        environ={},
    )
    outcome = apply(client, steps(client, other, Prune.ALL))
    assert outcome.is_complete, outcome.text()
    assert [each.title for each in outcome.done][-2:] == [
        "delete queue shop/mails",
        "delete app other",
    ]
    assert not steps(client, other, Prune.ALL)
    after = observe(client)
    assert after.apps["shop"] == other.apps["shop"]
    assert after.apps["third"].instances == {"w2": {"is_enabled": False}}


def test_an_export_applies_back_to_nothing(client: Client, wanted: Fleet) -> None:
    apply(client, steps(client, wanted))
    exported = export(client)
    assert "p@s" not in exported.text
    assert set(exported.variables.values()) == {"p%40s%2Fs", "p@s/s", "guest"}
    again = parse(exported.text, environ={k: v or "" for k, v in exported.variables.items()})
    assert not steps(client, again, Prune.ALL)
    part = export(client, ["other"])
    assert part.text.startswith("[apps.other]\nbroker = ")
    with pytest.raises(NotFound, match="nothing"):
        export(client, ["nothing"])


def test_a_viewer_plans_as_well_as_masked_secrets_allow(
    client: Client, branch: FakeBranch, wanted: Fleet
) -> None:
    apply(client, steps(client, wanted))
    viewer = Client(transport=transport(branch, VIEWER_TOKEN), retries=0)
    assert not steps(viewer, wanted, Prune.ALL)
    assert None in export(viewer).variables.values()
    outcome = apply(viewer, plan(Fleet(), wanted))
    assert {type(each.error).__name__ for each in outcome.failed} == {"Forbidden"}
    assert not outcome.done


def test_a_half_failed_apply_says_what_was_done_failed_and_not_tried(
    client: Client, wanted: Fleet
) -> None:
    broken = Fleet(
        {
            **wanted.apps,
            "bad": FleetApp({"pool": "wild"}, {"q": {}}, {"v1": {}}),
            "worse": FleetApp({}, {"dq.x": {}, "fine": {}}, {"v2": {"queues": ["dq.x"]}, "v3": {}}),
        }
    )
    client.add("old")
    outcome = apply(client, steps(client, broken, Prune.ALL))
    assert [each.change.title for each in outcome.failed] == [
        "create app bad",
        "create queue worse/dq.x",
    ]
    assert "must be one of prefork" in outcome.text()
    assert [each.title for each in outcome.not_tried] == [
        "create queue bad/q",
        "create instance bad/v1",
        "create instance worse/v2",
        "delete app old",
    ]
    assert [each.title for each in outcome.done] == [
        "create app other",
        "create app shop",
        "create app worse",
        "create queue shop/mails",
        "create queue shop/orders",
        "create queue worse/fine",
        "create instance shop/w1",
        "create instance shop/w2",
        "create instance worse/v3",
    ]
    assert not outcome.is_complete
    left = [each.title for each in steps(client, broken, Prune.ALL).changes]
    assert left == [
        *(each.change.title for each in outcome.failed[:1]),
        "create queue bad/q",
        "create queue worse/dq.x",
        "create instance bad/v1",
        "create instance worse/v2",
        "delete app old",
    ]


def test_a_branch_that_is_gone_ends_it(client: Client, way: Meddling, wanted: Fleet) -> None:
    planned = steps(client, wanted)

    def gone(request: Request) -> Reply | None:
        if request.method == "PUT" and "orders" in request.path:
            raise ConnectionFailed("It is gone.", was_sent=True)
        return None

    way.meddle = gone
    outcome = apply(client, planned)
    assert [each.change.title for each in outcome.failed] == ["create queue shop/orders"]
    assert (len(outcome.done), len(outcome.not_tried)) == (3, 2)


def test_writes_nothing_that_somebody_else_has_changed_meanwhile(
    client: Client, way: Meddling, wanted: Fleet
) -> None:
    apply(client, steps(client, wanted))
    shop = wanted.apps["shop"]
    more = Fleet({"shop": replace(shop, parameters={**shop.parameters, "max_concurrency": 7})})
    planned = steps(client, more)
    client["shop"].update(max_concurrency=5)
    (failure,) = apply(client, planned).failed
    assert "max_concurrency of the app 'shop' has changed" in failure.error.detail
    assert client["shop"].max_concurrency == 5

    planned = steps(client, more)

    def meddle(request: Request) -> Reply | None:
        if request.method == "PUT":
            way.meddle = lambda _request: None
            client["shop"].update(labels={"zone": "b"})
        return None

    way.meddle = meddle
    (failure,) = apply(client, planned).failed
    assert "ETag" in failure.error.detail
    assert apply(client, steps(client, more)).is_complete


def test_creates_nothing_that_is_there_by_now_and_deletes_nothing_twice(
    client: Client, wanted: Fleet
) -> None:
    planned = steps(client, wanted)
    client.add("shop")
    outcome = apply(client, planned)
    assert [each.change.title for each in outcome.failed] == ["create app shop"]
    gone = plan(Fleet({"gone": FleetApp()}), Fleet(), Prune.ALL)
    assert gone.changes[0].action == Action.DELETE
    assert apply(client, gone).is_complete


def test_a_pin_needs_no_move_where_the_instance_is_there_already(
    client: Client, way: Meddling
) -> None:
    client.add("a").instances.add("w", is_enabled=False)
    wanted = parse('[apps.a.instances.w]\nis_enabled = false\nbranch = "branch1"', environ={})
    (change,) = steps(client, wanted).changes
    assert change.action == Action.MOVE
    assert apply(client, Plan((change,))).is_complete
    assert not steps(client, wanted)
    elsewhere = parse('[apps.a.instances.w]\nis_enabled = false\nbranch = "b9"', environ={})
    (failure,) = apply(client, steps(client, elsewhere)).failed
    assert way.asked[-1] == "POST /a/instances/w/move/"
    assert isinstance(failure.error, NotFound)


def test_pins_and_lets_go(client: Client) -> None:
    def pinned_as(text: str) -> bool:
        wanted = parse(f"[apps.a.instances.w]\n{text}", environ={})
        outcome = apply(client, steps(client, wanted))
        assert outcome.is_complete, outcome.text()
        assert not steps(client, wanted)
        return client.instances["w"].pinned

    assert not pinned_as("")
    assert pinned_as("pinned = true")
    assert pinned_as("")
    assert not pinned_as("pinned = false")
    stale = steps(client, parse("[apps.a.instances.w]\npinned = true", environ={}))
    client.instances["w"].update(pinned=True)
    (failure,) = apply(client, stale).failed
    assert "pinned of the instance 'w' has changed" in failure.error.detail

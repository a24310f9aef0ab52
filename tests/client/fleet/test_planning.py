from __future__ import annotations

import pytest
from hypothesis import given

from cyme.client.fleet import Action, Fleet, FleetApp, Kind, Plan, Prune, applied, plan
from cyme.client.fleet.same import is_same
from tests.client.fleet.fleets import few, fleets

SHOP = FleetApp(
    {"broker": "redis://:s3cret@host/1", "pool": "prefork", "env": {"MODE": "x", "KEY": "s3cret"}},
    {"orders": {"routing_key": "o"}},
    {"w1": {"queues": ["orders"]}, "w2": {"max_concurrency": 3}},
)


def shop(**changes: object) -> Fleet:
    fields = {"parameters": SHOP.parameters, "queues": SHOP.queues, "instances": SHOP.instances}
    return Fleet({"shop": FleetApp(**{**fields, **changes})})  # type: ignore[arg-type]


@few
@given(fleets(), fleets())
def test_a_plan_makes_of_anything_what_is_wanted(current: Fleet, wanted: Fleet) -> None:
    assert applied(current, plan(current, wanted, Prune.ALL)) == wanted


@few
@given(fleets(), fleets())
def test_a_plan_leaves_nothing_to_plan_and_what_it_does_not_know_alone(
    current: Fleet, wanted: Fleet
) -> None:
    for prune in Prune:
        after = applied(current, plan(current, wanted, prune))
        assert not plan(after, wanted, prune)
        if prune == Prune.NOTHING:
            assert current.apps.keys() <= after.apps.keys()
        if prune == Prune.WITHIN:
            alone = current.apps.keys() - wanted.apps.keys()
            assert all(after.apps[name] == current.apps[name] for name in alone)


@few
@given(fleets())
def test_what_is_as_it_is_wanted_needs_nothing(fleet: Fleet) -> None:
    assert plan(fleet, fleet, Prune.ALL) == Plan()


@few
@given(fleets(), fleets())
def test_creates_in_the_order_of_need_and_deletes_last(current: Fleet, wanted: Fleet) -> None:
    changes = plan(current, wanted, Prune.ALL).changes
    order = [Kind.APP, Kind.QUEUE, Kind.INSTANCE]
    made = [order.index(each.kind) for each in changes if each.action != Action.DELETE]
    gone = [order.index(each.kind) for each in changes if each.action == Action.DELETE]
    assert made == sorted(made)
    assert gone == sorted(gone, reverse=True)


def test_says_exactly_what_would_change_and_no_secret() -> None:
    wanted = shop(
        parameters={
            "broker": "redis://:other@host/1",
            "max_concurrency": 4,
            "env": {"MODE": "y", "KEY": "other", "NEW": "1"},
        },
        queues={"orders": {"exchange": "ex"}, "mails": {}},
        instances={"w1": {"queues": ["orders", "mails"], "branch": "b2"}, "w3": {"pool": "solo"}},
    )
    planned = plan(shop(), wanted, Prune.WITHIN)
    assert planned.text().splitlines() == [
        "~ update app shop",
        '~     broker: "redis://:********@host/1" -> "redis://:********@host/1" (another secret)',
        '~     pool: "prefork" -> (default)',
        "~     max_concurrency: (default) -> 4",
        "~     env.KEY: ******** -> ******** (another secret)",
        '~     env.MODE: "x" -> "y"',
        '~     env.NEW: (default) -> "1"',
        "+ create queue shop/mails",
        "~ update queue shop/orders",
        '~     exchange: (default) -> "ex"',
        '~     routing_key: "o" -> (default)',
        "~ update instance shop/w1",
        '~     queues: ["orders"] -> ["orders", "mails"]',
        "~ move instance shop/w1",
        '~     branch: (default) -> "b2"',
        "+ create instance shop/w3",
        '+     pool = "solo"',
        "- delete instance shop/w2",
        "~ restart instance shop/w1",
    ]
    assert planned.summary() == "2 to create, 3 to change, 1 to move, 1 to delete, 1 to restart."
    assert "s3cret" not in f"{planned.text()} {planned!r} {shop()!r}"
    assert "other" not in repr(planned)
    assert planned.changes[0].parameters["pool"] is None
    assert plan(shop(), shop()).summary() == "Nothing would change."


def test_leaves_what_the_cluster_chose() -> None:
    current = Fleet({"a": FleetApp({"broker": "redis://h/1"}, {}, {"w": {"branch": "b1"}})})
    assert not plan(current, Fleet({"a": FleetApp({}, {}, {"w": {}})}), Prune.ALL)
    own = Fleet({"a": FleetApp({}, {}, {"w": {"broker": "redis://h/2"}})})
    (change,) = plan(own, Fleet({"a": FleetApp({}, {}, {"w": {}})})).changes
    assert change.parameters == {"broker": None}


def test_a_pin_is_set_and_removed_only_where_the_file_says_so() -> None:
    current = Fleet({"a": FleetApp({}, {}, {"kept": {"branch": "b1"}, "free": {}})})

    def changes(**instances: dict[str, object]) -> list[tuple[str, object]]:
        wanted = Fleet({"a": FleetApp({}, {}, instances)})
        planned = plan(current, wanted)
        assert not plan(applied(current, planned), wanted)
        return [(each.name, each.parameters) for each in planned.changes]

    assert not changes(kept={}, free={})
    assert not changes(kept={"pinned": True}, free={"pinned": False})
    assert not changes(kept={"branch": "b1"})
    assert changes(kept={"pinned": False}, free={"pinned": True}) == [
        ("free", {"pinned": True}), ("kept", {"pinned": False}),
    ]  # fmt: skip
    told = plan(current, Fleet({"a": FleetApp({}, {}, {"kept": {"pinned": False}})}))
    assert told.text() == "~ update instance a/kept\n~     pinned: true -> false"
    assert told.restarts == ()


def test_an_instance_goes_from_one_app_before_it_comes_in_another() -> None:
    current = Fleet({"a": FleetApp({}, {}, {"w": {}, "v": {}}), "b": FleetApp()})
    wanted = Fleet({"a": FleetApp(), "b": FleetApp({}, {}, {"w": {}})})
    assert [each.title for each in plan(current, wanted, Prune.WITHIN).changes] == [
        "delete instance a/w",
        "create instance b/w",
        "delete instance a/v",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("broker", "redis://:********@h/1", "redis://:s3cret@h/1", True),
        ("broker", "redis://:********@h/1", "redis://:s3cret@h/2", False),
        ("broker", "redis://:a%40b@h/1", "redis://:a@b@h/1", True),
        ("broker", "redis://:a@h/1", "redis://:b@h/1", False),
        ("result_backend", "redis://h/1?password=********", "redis://h/1?password=x", True),
        ("result_backend", "redis://h/1", None, False),
        ("env", {"A": "********"}, {"A": "x"}, True),
        ("env", {"A": "********"}, {"B": "x"}, False),
        ("env", None, {}, False),
        ("arguments", "--x=redis://:********@h/", "--x=redis://:pw@h/", True),
        ("arguments", "--x=********", "--x=pw", False),
        ("queues", ["a", "b"], ["b", "a"], True),
        ("queues", None, [], True),
        ("options", {"a": True}, {"a": 1}, False),
        ("options", {"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ("is_enabled", True, True, True),
        ("is_enabled", None, False, False),
    ],
)
def test_tells_what_is_the_same(name: str, old: object, new: object, same: bool) -> None:
    assert is_same(name, old, new) is same


@pytest.mark.parametrize(
    ("changes", "restarting"),
    [
        ({"parameters": {"workdir": "/new"}}, ["w1", "solo"]),
        ({"parameters": {"workdir": "/old", "labels": {"zone": "a"}}}, []),
        ({"parameters": {"workdir": "/old", "max_concurrency": 9}}, ["solo"]),
        ({"parameters": {"workdir": "/old", "min_concurrency": 9}}, ["solo"]),
        ({"parameters": {"workdir": "/old", "pool": "prefork"}}, []),
        ({"parameters": {"workdir": "/old", "env": {"A": "1"}}}, ["w1", "own", "solo"]),
        ({"parameters": {"workdir": "/old", "is_enabled": False}}, []),
        ({"queues": {"orders": {"exchange": "x"}, "mails": {}}}, ["w1"]),
        ({"queues": {}}, []),
        ({"instances": {"w1": {"queues": ["orders", "mails"]}}}, []),
        ({"instances": {"w1": {"queues": ["orders"], "python": "/bin/python"}}}, ["w1"]),
        ({"instances": {"off": {"is_enabled": True, "pool": "solo"}, "new": {}}}, []),
    ],
)
def test_tells_whose_worker_restarts_for_it(
    changes: dict[str, object], restarting: list[str]
) -> None:
    fields: dict[str, object] = {
        "parameters": {"workdir": "/old"},
        "queues": {"orders": {}, "mails": {}},
        "instances": {
            "w1": {"queues": ["orders"]},
            "own": {"workdir": "/own"},
            "solo": {"pool": "solo"},
            "off": {"is_enabled": False, "queues": ["orders"]},
        },
    }
    current = Fleet({"shop": FleetApp(**fields)})  # type: ignore[arg-type]
    wanted = Fleet({"shop": FleetApp(**{**fields, **changes})})  # type: ignore[arg-type]
    told = plan(current, wanted, Prune.ALL).restarts
    assert sorted(told) == sorted(f"shop/{name}" for name in restarting)


def test_a_secret_that_is_not_told_restarts_nothing() -> None:
    masked = shop(parameters={**SHOP.parameters, "broker": "redis://:********@host/1"})
    assert plan(masked, shop()).restarts == ()

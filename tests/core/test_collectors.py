from __future__ import annotations

from collections import Counter

from cyme.core.branches import BranchInfo, BranchState
from cyme.core.collectors import broker_key, brokers_in_use, collector_of
from cyme.core.model import BranchId, Broker
from tests.core import records

BRANCHES = [BranchInfo(id=BranchId(f"b{number}")) for number in range(10)]
KEYS = [f"redis://host{number}:6379/0" for number in range(500)]


def test_all_urls_of_a_broker_have_one_key_and_no_password_is_in_it() -> None:
    keys = {
        broker_key(Broker(url))
        for url in (
            "amqp://guest:hush@rabbit//",
            "amqp://other:secret@rabbit:5672/%2F",
            "amqp://rabbit:5672//?password=hush",
        )
    }
    assert keys == {"amqp://rabbit:5672//"}
    assert broker_key(Broker("redis://:hush@r/1")) != broker_key(Broker("redis://:hush@r/2"))
    assert broker_key(Broker("memory://")) == "memory://:/0"


def test_branches_that_know_the_same_choose_the_same_collector() -> None:
    for key in KEYS:
        assert collector_of(key, BRANCHES) == collector_of(key, reversed(BRANCHES))


def test_brokers_are_spread_over_the_branches() -> None:
    shares = Counter(collector_of(key, BRANCHES) for key in KEYS)
    assert set(shares) == {info.id for info in BRANCHES}
    assert max(shares.values()) < 3 * len(KEYS) / len(BRANCHES)


def test_a_branch_that_went_changes_only_the_brokers_that_it_collected() -> None:
    gone, *others = BRANCHES
    for key in KEYS:
        before = collector_of(key, BRANCHES)
        if before != gone.id:
            assert collector_of(key, others) == before


def test_branches_that_leave_or_are_gone_do_not_collect() -> None:
    states = [BranchState.LEAVING, BranchState.LEFT, BranchState.FAILED]
    away = [BranchInfo(id=BranchId(f"x{state}"), state=state) for state in states]
    suspect = BranchInfo(id=BranchId("s"), state=BranchState.SUSPECT)
    for key in KEYS[:50]:
        assert collector_of(key, [*away, suspect]) == "s"
    assert collector_of(KEYS[0], away) is None


def test_a_branch_with_instances_on_the_broker_goes_before_the_others() -> None:
    owners = frozenset({BranchId("b3"), BranchId("b4")})
    for key in KEYS[:50]:
        assert collector_of(key, BRANCHES, owners) in owners
        assert collector_of(key, BRANCHES[:3], owners) == collector_of(key, BRANCHES[:3])


def test_brokers_of_apps_and_of_instances_are_in_use() -> None:
    own = Broker("redis://own:6379/0")
    default = Broker("redis://default:6379/0")
    apps = [records.app(), records.app("plain", broker=None)]
    instances = [
        records.instance("w1"),
        records.instance("w2", broker=own),
        records.instance("w3", app="gone"),
    ]

    brokers, owners = brokers_in_use(apps, instances, default)

    assert set(brokers.values()) == {records.BROKER, own, default}
    assert owners == {broker_key(each): frozenset({"b1"}) for each in brokers.values()}


def test_of_several_urls_of_a_broker_all_branches_take_the_same() -> None:
    one, two = Broker("redis://:a@r:6379/0"), Broker("redis://:b@r:6379/0")
    apps = [records.app("x", broker=two), records.app("y", broker=one)]
    for each in (apps, apps[::-1]):
        brokers, owners = brokers_in_use(each, [], two)
        assert list(brokers.values()) == [one]
        assert owners == {}


def test_a_url_that_few_use_is_not_that_of_all() -> None:
    """One app with a wrong password shall not blind the others."""
    wrong, right = Broker("redis://:a@r:6379/0"), Broker("redis://:b@r:6379/0")
    apps = [records.app("x", broker=wrong), records.app("y", broker=right)]
    instances = [records.instance("i1", app="y")]
    for default in (wrong, right):
        brokers, _ = brokers_in_use(apps, instances, default)
        assert list(brokers.values()) == [right]
    both = [*instances, records.instance("i2", app="x"), records.instance("i3", app="x")]
    assert list(brokers_in_use(apps, both, right)[0].values()) == [wrong]

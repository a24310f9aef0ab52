"""Apps, queues and instances on their way through a node, and news of instances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cyme.core.cluster.effects import Absorb
from cyme.core.cluster.items import PIDS_MAX, REASON_CHARS_MAX, InstanceNews, Item, key_of
from cyme.core.cluster.messages import ITEMS_MAX, Items, Rumours
from cyme.core.cluster.node import learning
from cyme.core.cluster.node.ticking import ABSORB_S, FORGET_PERIOD_S
from cyme.core.cluster.plausibility import EPOCH_JUMP_MAX
from cyme.core.model import BranchId, Instance
from cyme.core.status import InstanceState, InstanceStatus
from tests.core.cluster import known
from tests.core.cluster.nodes import Branch, Network, agree, hello, of, rumour, sender


def _lone(**settings: Any) -> tuple[Network, Branch]:
    """Return a branch that another one was heard by."""
    network = Network()
    me = network.add("me", **settings)
    network.run(1.0)
    me.hear(hello("a"))
    network.run(0.5)
    return network, me


def _send(branch: Branch, *items: Item) -> list[Absorb]:
    return of(Absorb, branch.hear(Items(sender=sender("a"), items=items)))


def _told(branch: Branch, since: float = 0.0) -> list[Item]:
    return [each.item for told in branch.said(Rumours, since) for each in told.rumours]


def _news(branch: Branch, since: float = 0.0) -> list[InstanceNews]:
    return [item for item in _told(branch, since) if isinstance(item, InstanceNews)]


def _mine(name: str = "w", **fields: Any) -> Instance:
    return replace(known.instance(name), home=BranchId("me"), **{"owner": BranchId("me"), **fields})


def _status(state: InstanceState = InstanceState.RUNNING, **fields: Any) -> InstanceStatus:
    return InstanceStatus(state=state, **{"reason": "so it is", **fields})


# --- records of this branch ----------------------------------------------------------------------


def test_a_record_that_was_written_here_is_told_to_all() -> None:
    network, me = _lone()
    me.write(known.app("a"), known.queue("q"))
    assert _told(me, network.now) == [known.app("a"), known.queue("q")]


def test_a_record_that_is_known_already_is_not_told_again() -> None:
    network, me = _lone()
    me.write(known.app("a", 2))
    network.run(1.0)
    assert me.write(known.app("a", 2)) == []
    assert me.do(me.node.on_applied(network.now, [known.app("a", 1)], here=True)) == []


def test_a_record_of_another_branch_is_not_told_when_it_is_applied() -> None:
    network, me = _lone()
    began, digest = network.now, me.node.digest
    assert _send(me, known.app("a")) == [Absorb((known.app("a"),))]
    assert me.node.digest == digest
    network.run(0.1)
    assert me.node.digest != digest
    assert _told(me, began) == []


def test_what_was_there_at_the_start_is_known_but_not_told() -> None:
    network = Network()
    records = [known.app("a"), _mine()]
    me = network.add("me", records=records)
    other = network.add("other", joins=[me])
    network.run(1.0)
    assert agree([me, other])
    assert {key_of(item) for item in _told(me)} == {("branch", "me"), ("branch", "other")}
    assert set(other.disk.values()) == set(records)


# --- records of others ---------------------------------------------------------------------------


def test_records_of_others_are_absorbed_in_bounded_batches() -> None:
    _, me = _lone()
    items = tuple(known.app(f"a{number}", 1) for number in range(ITEMS_MAX + 1))
    assert [len(absorb.records) for absorb in _send(me, *items)] == [ITEMS_MAX, 1]


def test_what_is_being_written_is_not_written_again() -> None:
    network, me = _lone()
    me.disk_s = None
    assert len(_send(me, known.app("a", 1))) == 1
    assert _send(me, known.app("a", 1)) == []
    said = Rumours(sender=sender("a"), number=1, rumours=(rumour("a", 1, known.app("a", 1)),))
    assert of(Absorb, me.overhear(said)) == []
    network.run(ABSORB_S + 1.0)
    assert len(_send(me, known.app("a", 1))) == 1


def test_a_later_change_is_not_held_up_by_one_that_is_being_written() -> None:
    network, me = _lone()
    me.disk_s = 1.0
    _send(me, known.app("a", 1))
    network.run(0.5)
    assert _send(me, known.app("a", 2)) == [Absorb((known.app("a", 2),))]
    network.run(0.6)
    assert me.disk[("app", "a")] == known.app("a", 1)
    assert _send(me, known.app("a", 2)) == []
    network.run(0.5)
    assert me.disk[("app", "a")] == known.app("a", 2)
    assert me.node._absorbing == {}


def test_changes_of_both_registers_of_an_instance_are_written() -> None:
    network, me = _lone()
    me.disk_s = 1.0
    changed, moved = known.instance("w", time_ms=5), known.instance("w", epoch=2)
    for record in (changed, moved):
        assert _send(me, record) == [Absorb((record,))]
        assert _send(me, record) == []
    assert _send(me, changed) == []
    network.run(1.5)
    after = me.disk[("instance", "w")]
    assert isinstance(after, Instance)
    assert (after.stamp, after.epoch) == (changed.stamp, 2)
    assert me.node._absorbing == {}


def test_what_was_written_here_meanwhile_needs_no_writing_any_more() -> None:
    _, me = _lone()
    me.disk_s = None
    _send(me, known.app("a", 1))
    me.write(known.app("a", 2))
    assert me.node._absorbing == {}


def test_a_record_that_was_not_taken_in_may_come_again() -> None:
    network, me = _lone()
    me.disk_s = None
    _send(me, known.app("a"))
    assert me.do(me.node.on_not_absorbed(network.now, [known.app("a"), known.app("b")])) == []
    assert len(_send(me, known.app("a"))) == 1


def test_only_so_many_records_are_written_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "ABSORBING_MAX", 2)
    network, me = _lone()
    me.disk_s = 1.0
    names = ("a", "b", "c")
    (absorb,) = _send(me, *(known.app(name) for name in names))
    assert absorb.records == (known.app("a"), known.app("b"))
    assert me.node.refused == 1
    network.run(1.1)
    assert len(_send(me, known.app("c"))) == 1


def test_an_epoch_that_no_faults_can_have_come_to_is_refused() -> None:
    network, me = _lone()
    assert _send(me, known.instance("w", epoch=EPOCH_JUMP_MAX + 1)) == []
    assert me.node.refused == 1
    _send(me, known.instance("w", epoch=EPOCH_JUMP_MAX))
    network.run(0.1)
    assert len(_send(me, known.instance("w", epoch=2 * EPOCH_JUMP_MAX))) == 1
    assert me.node.refused == 1


def test_any_stamp_of_an_app_is_plausible() -> None:
    _, me = _lone()
    assert len(_send(me, known.app("a", 10**15))) == 1


def test_a_tombstone_that_was_forgotten_is_known_no_more() -> None:
    network, me = _lone()
    dead = _mine(deleted=True)
    app = known.app("a", 3)
    assert app.deleted
    empty = me.node.digest
    me.write(dead, app)
    assert me.node.digest != empty
    assert me.do(me.node.on_forgotten(network.now, [dead, app, known.app("x")])) == []
    assert me.node.digest == empty
    assert me.node._view.instance("w") is None


def test_a_tombstone_that_was_replaced_is_not_forgotten() -> None:
    network, me = _lone()
    dead = _mine(deleted=True)
    me.write(dead, replace(_mine(), generation=2))
    me.do(me.node.on_forgotten(network.now, [dead]))
    again = me.node._view.instance("w")
    assert again is not None
    assert again.generation == 2


# --- news of instances ---------------------------------------------------------------------------


def test_how_an_instance_is_is_told_when_it_changes() -> None:
    network, me = _lone()
    me.write(_mine())
    network.run(1.0)
    me.do(me.node.on_status(network.now, "w", _status(pids=(7, 8), restarts=2, since=70.0)))
    (news,) = _news(me)
    assert news == InstanceNews(
        instance=_mine().name,
        branch=BranchId("me"),
        epoch=1,
        boot=1,
        seq=1,
        state=InstanceState.RUNNING,
        reason="so it is",
        pids=(7, 8),
        restarts=2,
        since=70.0,
    )
    assert me.node.news("w") == news
    network.run(1.0)
    me.do(me.node.on_status(network.now, "w", _status(InstanceState.STOPPED)))
    assert [(each.seq, each.state) for each in _news(me)] == [
        (1, InstanceState.RUNNING),
        (2, InstanceState.STOPPED),
    ]


def test_news_is_of_a_bounded_size() -> None:
    network, me = _lone()
    me.write(_mine())
    pids = tuple(range(1, PIDS_MAX + 10))
    me.do(me.node.on_status(network.now, "w", _status(reason="x" * 1000, pids=pids)))
    news = me.node.news("w")
    assert news is not None
    assert news.reason == "x" * REASON_CHARS_MAX
    assert news.pids == pids[:PIDS_MAX]


def test_the_others_know_how_an_instance_is() -> None:
    network = Network()
    branches = network.cluster(3)
    network.run(2.0)
    one = branches[0]
    one.write(replace(_mine(), home=one.id, owner=one.id))
    network.run(0.5)
    one.do(one.node.on_status(network.now, "w", _status()))
    network.run(0.1)
    assert all(branch.node.news("w") == one.node.news("w") is not None for branch in branches)
    late = network.add("late", joins=[branches[2]])
    network.until(lambda: late.node.news("w") == one.node.news("w"), 1.0)


def test_nothing_is_told_of_an_instance_that_is_not_known_or_not_owned_here() -> None:
    network, me = _lone()
    me.do(me.node.on_status(network.now, "w", _status()))
    me.write(known.instance("v"))
    me.do(me.node.on_status(network.now, "v", _status()))
    assert me.node.news("w") is None
    assert me.node.news("v") is None


def test_what_was_seen_before_the_ownership_came_is_told_when_it_comes() -> None:
    network, me = _lone()
    me.write(_mine(owner=BranchId("a")))
    me.do(me.node.on_status(network.now, "w", _status()))
    network.run(1.0)
    me.write(_mine(epoch=2))
    (news,) = _news(me)
    assert (news.epoch, news.state) == (2, InstanceState.RUNNING)
    network.run(1.0)
    me.write(_mine(epoch=3))
    assert [each.epoch for each in _news(me)] == [2, 3]


def test_a_change_of_content_is_no_news_of_how_an_instance_is() -> None:
    network, me = _lone()
    me.write(_mine())
    me.do(me.node.on_status(network.now, "w", _status()))
    network.run(1.0)
    me.write(replace(_mine(), stamp=known.app("x", 9).stamp, version=2))
    network.run(1.0)
    assert len(_news(me)) == 1


def test_nothing_more_is_told_of_an_instance_that_went_to_another_branch() -> None:
    network, me = _lone()
    me.write(_mine())
    me.do(me.node.on_status(network.now, "w", _status()))
    network.run(1.0)
    _send(me, _mine(owner=BranchId("a"), epoch=2))
    network.run(1.0)
    me.do(me.node.on_status(network.now, "w", _status(InstanceState.STOPPING)))
    network.run(1.0)
    assert len(_news(me)) == 1


def test_how_an_instance_was_before_it_went_is_not_told_when_it_comes_again() -> None:
    network, me = _lone()
    me.write(replace(_mine(), home=BranchId("a")))
    me.do(me.node.on_status(network.now, "w", _status()))
    network.run(1.0)
    me.write(replace(_mine(), home=BranchId("a"), owner=BranchId("a"), epoch=2))
    network.run(1.0)
    me.write(replace(_mine(), home=BranchId("a"), epoch=3))
    network.run(1.0)
    assert [each.epoch for each in _news(me)] == [1]


def test_how_a_kept_worker_is_is_told_when_its_instance_is_taken_back() -> None:
    network, me = _lone()
    me.write(_mine())
    me.do(me.node.on_status(network.now, "w", _status()))
    network.run(1.0)
    me.write(_mine(owner=BranchId("a"), epoch=2))
    assert me.node.keeps("w")
    me.write(_mine(epoch=3))
    network.run(1.0)
    assert [each.epoch for each in _news(me)] == [1, 3]


def test_how_the_worker_of_a_deleted_instance_ended_is_forgotten_soon() -> None:
    network, me = _lone()
    for name in ("w", "v"):
        me.write(replace(known.instance(name), owner=BranchId("me"), home=BranchId("me")))
        me.do(me.node.on_status(network.now, name, _status()))
    me.write(replace(_mine(), deleted=True))
    me.do(me.node.on_status(network.now, "w", _status(InstanceState.STOPPING)))
    network.run(FORGET_PERIOD_S + 1.0)
    assert me.node._statuses.keys() == {"v"}


def test_news_of_a_deleted_instance_is_dropped_and_not_taken_in_again() -> None:
    network, me = _lone()
    me.write(_mine())
    me.do(me.node.on_status(network.now, "w", _status()))
    news = me.node.news("w")
    assert news is not None
    network.run(1.0)
    me.write(replace(_mine(), deleted=True))
    assert me.node.news("w") is None
    _send(me, replace(news, seq=99))
    assert me.node.news("w") is None
    me.do(me.node.on_status(network.now, "w", _status(InstanceState.STOPPED)))
    assert me.node.news("w") is None


def test_an_instance_that_is_created_again_begins_without_news() -> None:
    network, me = _lone()
    me.write(_mine())
    me.do(me.node.on_status(network.now, "w", _status()))
    me.write(replace(_mine(), deleted=True))
    network.run(1.0)
    me.write(replace(_mine(), generation=2))
    assert me.node.news("w") is None


@pytest.mark.parametrize("rumoured", [False, True])
def test_older_news_is_ignored(rumoured: bool) -> None:
    network, me = _lone()
    _send(me, known.instance("w", epoch=2))
    network.run(0.1)
    order = [known.news("w", 5), known.news("w", 6), known.news("w", 1, epoch=2)]
    for number, (news, expected) in enumerate([(1, 1), (0, 1), (1, 1), (2, 2), (1, 2), (0, 2)]):
        if rumoured:
            told = (rumour("a", number, order[news]),)
            me.overhear(Rumours(sender=sender("a"), number=number, rumours=told))
        else:
            _send(me, order[news])
        assert me.node.news("w") == order[expected]


def test_news_may_come_before_the_record() -> None:
    network, me = _lone()
    _send(me, known.news("w"), known.instance("w"))
    network.run(0.1)
    assert me.node.news("w") == known.news("w")

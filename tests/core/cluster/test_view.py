from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cyme.core.branches import BranchState
from cyme.core.cluster.digests import Table
from cyme.core.cluster.grounds import View
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.view import NodeView
from cyme.core.model import BranchId, Instance, merged
from tests.core.cluster import known
from tests.core.cluster.nodes import ALIVE, FAILED, word

NOW = 1000.0


class Node:
    """What the view needs of a node, as a test says."""

    me = BranchId("me")
    profile: Profile = word("me").profile
    fenced = True
    joined_at: float | None = 7.0

    def state(self, branch: str) -> BranchState | None:
        return {"me": ALIVE, "x": FAILED}.get(branch)

    def state_since(self, branch: str) -> float:
        return 5.0 if branch == "x" else 0.0

    def statements(self) -> Sequence[Statement]:
        return [word("me"), word("x", FAILED)]


def _view() -> tuple[NodeView, Table]:
    table = Table()
    return NodeView(Node(), table), table


def instance(
    name: str = "w", owner: str = "a", home: str | None = None, epoch: int = 1
) -> Instance:
    return replace(
        known.instance(name, epoch=epoch), owner=BranchId(owner), home=BranchId(home or owner)
    )


def test_what_is_known_of_branches_is_what_the_node_says() -> None:
    view, _ = _view()
    port: View = view
    assert port.me == "me"
    assert port.profile == word("me").profile
    assert port.fenced
    assert port.joined_at == 7.0
    assert [port.state(name) for name in ("me", "x", "y")] == [ALIVE, FAILED, None]
    assert port.state_since("x") == 5.0
    assert list(port.statements()) == [word("me"), word("x", FAILED)]


def test_an_app_is_known_until_it_is_deleted() -> None:
    view, table = _view()
    assert view.app("shop") is None
    table.put(known.app("shop", 1))
    assert view.app("shop") == known.app("shop", 1)
    table.put(replace(known.app("shop", 2), deleted=True))
    assert view.app("shop") is None


def test_apps_and_queues_are_no_instances() -> None:
    view, _ = _view()
    view.note(NOW, None, known.app("w"))
    view.note(NOW, None, known.queue("w"))
    view.forget(known.app("w"))
    assert view.instance("w") is None
    assert list(view.owners()) == []


def test_instances_are_found_by_name_by_owner_and_by_the_home_they_are_away_from() -> None:
    view, _ = _view()
    assert (list(view.owned_by("a")), view.owned("a"), list(view.away_from("a"))) == ([], 0, [])
    one, two, away = instance("w1"), instance("w2"), instance("w0", owner="b", home="a")
    for record in (two, one, away):
        view.note(NOW, None, record)
    assert view.instance("w1") == one
    assert list(view.owners()) == ["a", "b"]
    assert list(view.owned_by("a")) == [one, two]
    assert (view.owned("a"), view.owned("b"), view.owned("c")) == (2, 1, 0)
    assert list(view.away_from("a")) == [away]
    assert list(view.away_from("b")) == []


def test_an_instance_goes_with_its_owner_and_comes_home() -> None:
    view, _ = _view()
    home, away = instance(owner="a"), instance(owner="b", home="a", epoch=2)
    back = instance(owner="a", epoch=3)
    view.note(NOW, None, home)
    view.note(NOW, home, away)
    assert (list(view.owners()), list(view.away_from("a"))) == (["b"], [away])
    view.note(NOW, away, back)
    assert (list(view.owners()), list(view.away_from("a"))) == (["a"], [])


def test_a_tombstone_is_known_but_nobody_owns_it() -> None:
    view, _ = _view()
    record = instance(owner="b", home="a")
    dead = replace(record, deleted=True)
    view.note(NOW, None, record)
    view.note(NOW, record, dead)
    assert view.instance("w") == dead
    assert (list(view.owners()), list(view.away_from("a"))) == ([], [])
    view.forget(dead)
    assert view.instance("w") is None
    assert view.arrived_at("w") == 0.0


def test_when_an_instance_arrived_is_when_its_owner_was_learnt() -> None:
    view, _ = _view()
    record = instance()
    assert view.arrived_at("w") == 0.0
    view.note(NOW, None, record)
    changed = replace(record, version=2)
    view.note(NOW + 1.0, record, changed)
    assert view.arrived_at("w") == NOW
    view.note(NOW + 2.0, changed, replace(changed, owner=BranchId("b"), epoch=2))
    assert view.arrived_at("w") == NOW + 2.0


records = st.builds(
    lambda name, owner, home, epoch, deleted: replace(
        instance(name, owner, home, epoch), deleted=deleted
    ),
    st.sampled_from(["w1", "w2"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 5),
    st.booleans(),
)


@given(st.lists(records, max_size=20))
def test_whatever_happened_the_view_is_that_of_the_latest_records(said: list[Instance]) -> None:
    view, _ = _view()
    latest: dict[str, Instance] = {}
    for record in said:
        before = latest.get(record.name)
        after = merged(before, record)
        assert isinstance(after, Instance)
        latest[record.name] = after
        view.note(NOW, before, after)
    living = [latest[name] for name in sorted(latest) if not latest[name].deleted]
    assert list(view.owners()) == sorted({record.owner for record in living})
    for branch in "abc":
        assert list(view.owned_by(branch)) == [each for each in living if each.owner == branch]
        assert view.owned(branch) == len(view.owned_by(branch))
        away = [each for each in living if each.home == branch != each.owner]
        assert list(view.away_from(branch)) == away

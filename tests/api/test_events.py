"""Events as clients get them: over a real socket, to the byte where that matters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import gevent
import pytest

from cyme.api.streaming import broadcaster, frames, row_caster
from cyme.api.streaming.broadcaster import Listener
from cyme.core.access import Caller, Role
from cyme.core.events import EVERYTHING, Cursor, Event
from cyme.runtime.feed import Arrival
from tests.api.branch import BRANCH_ID, FakeBranch
from tests.api.streams import RevocableTokens, Served, serving, tell
from tests.api.wire import RawClient
from tests.waiting import eventually

# --- what a stream is ----------------------------------------------------------------------------


def test_a_stream_says_hello_and_then_what_happens(branch: FakeBranch, served: Served) -> None:
    tell(branch, "before")
    with served.follow() as follower:
        assert (follower.status, follower.headers["content-type"]) == (200, "text/event-stream")
        assert follower.headers["connection"] == "close"
        assert "content-length" not in follower.headers
        hello = follower.frame()
        assert (hello.event, hello.data["branch"]) == ("hello", BRANCH_ID)
        assert hello.data["version"]
        event = branch.journal.record("instance.started", "it answers", instance="w1", pid=7)
        frame = follower.event()
        assert frame.id == event.id
        assert frame.data | {"at": ""} == {
            "id": event.id,
            "seq": 2,
            "at": "",
            "kind": "instance.started",
            "reason": "it answers",
            "app": None,
            "instance": "w1",
            "branch": BRANCH_ID,
            "data": {"pid": 7},
        }


def test_only_what_is_wanted_is_sent(branch: FakeBranch, served: Served) -> None:
    with served.follow("/events/?kind=instance.*,x.y&instance=w1,w2&app=shop") as follower:
        tell(branch, "another instance", kind="instance.started", app="shop", instance="w3")
        tell(branch, "another kind", kind="queue.created", app="shop", instance="w1")
        tell(branch, "another app", kind="x.y", app="web", instance="w1")
        tell(branch, "wanted", kind="instance.started", app="shop", instance="w1")
        tell(branch, "wanted too", kind="x.y", app="shop", instance="w2")
        assert follower.reasons(2) == ["wanted", "wanted too"]


def test_what_is_told_of_tasks_is_sent_to_those_who_want_it(
    branch: FakeBranch, served: Served
) -> None:
    feed = branch.service.feed
    with served.follow() as plain, served.follow("/events/?tasks=1") as curious:
        eventually(lambda: feed.wants_tasks)
        task = Event(seq=9, at=1.0, kind="task.failed", reason="", branch="b2", data={"uuid": "u"})
        feed.put_task_events([task])
        tell(branch, "it happened")
        frame = curious.event()
        assert (frame.id, frame.data["kind"], frame.data["data"]) == (
            "",
            "task.failed",
            {"uuid": "u"},
        )
        assert curious.reasons(1) == plain.reasons(1) == ["it happened"]
    eventually(lambda: not feed.wants_tasks)


def test_a_stream_beats_while_nothing_happens(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "HEARTBEAT_S", 0.05)
    with served.follow() as follower:
        follower.frame()
        for _ in range(3):
            assert follower.client.read_until(b"\n\n") == b":"


def test_each_frame_is_made_once_for_all(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make: Callable[[Event], bytes] = frames.event_frame

    def count(event: Event) -> bytes:
        made.append(event.seq)
        return make(event)

    with ExitStack() as stack:
        paths = ["/events/"] * 5 + ["/events/?kind=a.*"] * 5
        followers = [stack.enter_context(served.follow(path)) for path in paths]
        monkeypatch.setattr(broadcaster, "event_frame", count)
        tell(branch, "once")
        assert [each.reasons(1) for each in followers] == [["once"]] * 10
    assert made == [1]


def test_asked_for_its_head_it_ends(served: Served) -> None:
    with RawClient(served.server.address) as client:
        reply = client.request("HEAD /events/ HTTP/1.1")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        assert "content-length" not in reply.headers, "a stream has no length, least of all 0"
        assert client.request("GET /ping/ HTTP/1.1").status == 200
        assert client.request("HEAD /ping/ HTTP/1.1").headers["content-length"] == "13"


# --- the past ------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["follow=0", "follow=0&limit=", "follow=0&since="])
def test_a_list_without_limits_is_that_of_the_latest(branch: FakeBranch, query: str) -> None:
    tell(branch, *"ab")
    listed = branch.client.simulate_get("/events/", query_string=query).json
    assert [event["reason"] for event in listed] == ["a", "b"]


def test_the_past_comes_first_if_it_is_asked_for(branch: FakeBranch, served: Served) -> None:
    tell(branch, *"abcd")
    with served.follow("/events/?limit=2") as follower:
        tell(branch, "e")
        assert follower.reasons(3) == ["c", "d", "e"]
    branch.clock.advance(100.0)
    tell(branch, "f", "g")
    with served.follow("/events/?since=50") as follower:
        assert follower.reasons(2) == ["f", "g"]
    since = datetime.fromtimestamp(branch.clock.wall() - 50, UTC).isoformat()
    with served.follow(f"/events/?since={since.replace('+00:00', 'Z')}&limit=1") as follower:
        assert follower.reasons(1) == ["g"]


@pytest.mark.parametrize("asked", ["Accept: application/json", "follow=0"])
def test_as_a_list_it_is_the_past_alone(branch: FakeBranch, served: Served, asked: str) -> None:
    tell(branch, *(f"{number}" for number in range(120)))
    query, field = (asked, "X: y") if "=" in asked else ("", asked)
    with RawClient(served.server.address) as client:
        events = client.request(f"GET /events/?{query} HTTP/1.1", field).json
        assert [event["reason"] for event in events] == [f"{number}" for number in range(20, 120)]
        events = client.request(f"GET /events/?{query}&limit=1&kind=a.* HTTP/1.1", field).json
        assert [event["reason"] for event in events] == ["119"]
        assert client.request(f"GET /events/?{query}&limit=0 HTTP/1.1", field).json == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("kind=Instance", "kind"),
        ("kind=instance.*.x", "kind"),
        ("limit=1001", "limit"),
        ("app=" + ",".join(f"a{n}" for n in range(101)), "app"),
        ("limit=-1", "limit"),
        ("since=yesterday", "since"),
        ("rows=maybe", "rows"),
        ("instances=w1", "instances"),
    ],
)
def test_what_makes_no_sense_is_told(branch: FakeBranch, query: str, parameter: str) -> None:
    reply = branch.client.simulate_get("/events/", query_string=query)
    assert reply.status_code == 400
    assert parameter in reply.text


# --- coming back ---------------------------------------------------------------------------------


def test_who_comes_back_goes_on_exactly_where_it_was(branch: FakeBranch, served: Served) -> None:
    with served.follow() as follower:
        tell(branch, "a", "b")
        first, _ = follower.event(), follower.event()
    tell(branch, "c", "d")
    with served.follow("/events/", f"Last-Event-ID: {first.id}") as follower:
        tell(branch, "e")
        assert follower.reasons(4) == ["b", "c", "d", "e"]
    with served.follow("/events/?kind=x.y", f"Last-Event-ID: {first.id}") as follower:
        tell(branch, "wanted", kind="x.y")
        assert follower.reasons(1) == ["wanted"]


def test_on_another_branch_it_goes_on_by_time(branch: FakeBranch, served: Served) -> None:
    tell(branch, "long ago")
    branch.clock.advance(60.0)
    tell(branch, "just before")
    branch.clock.advance(1.0)
    last = Event(seq=4, at=branch.clock.wall(), kind="a.b", reason="", branch="b2", life=9)
    tell(branch, "since then")
    with served.follow("/events/", f"Last-Event-ID: {last.id}") as follower:
        tell(branch, "now")
        assert follower.reasons(3) == ["just before", "since then", "now"]


def test_after_a_restart_it_gets_nothing_of_its_branch_twice(
    branch: FakeBranch, served: Served
) -> None:
    a, _, _ = tell(branch, "a", "b", "c")  # nobody listened: the feed does not remember them
    with served.follow("/events/", f"Last-Event-ID: {a.id}") as follower:
        tell(branch, "d")
        assert follower.reasons(3) == ["b", "c", "d"]


@pytest.mark.parametrize("id_", ["nonsense", "1.2.3.zz", "x" * 5000])
def test_an_id_that_is_none_is_passed_over(branch: FakeBranch, served: Served, id_: str) -> None:
    tell(branch, "before")
    with served.follow("/events/", f"Last-Event-ID: {id_}") as follower:
        tell(branch, "now")
        assert follower.reasons(1) == ["now"]


def test_past_and_present_meet_without_a_gap_or_a_repetition(
    branch: FakeBranch, served: Served
) -> None:
    """While events come all the time, whoever begins to listen gets each of them once."""

    def go_on() -> None:
        while True:
            tell(branch, "again")
            gevent.sleep(0.001)

    telling = gevent.spawn(go_on)
    resident = served.follow()  # so that there is something under way whenever others come
    reading = gevent.spawn(resident.reasons, 1_000_000)
    try:
        eventually(lambda: branch.journal.cursor.seq > 20)
        last = None
        for number in range(12):
            fields: list[str] = (
                [f"Last-Event-ID: {last.id}"] if last is not None and number % 2 else []
            )
            with served.follow("/events/?limit=20", *fields) as follower:
                seqs = [follower.event().data["seq"] for _ in range(60)]
                last = follower.event()
            assert seqs == list(range(seqs[0], seqs[0] + 60))
    finally:
        gevent.killall([telling, reading])
        resident.client.socket.close()


@pytest.mark.parametrize(
    ("branch", "seq", "position", "is_new"),
    [
        ("b1", 9, 11, True),
        ("b1", 9, 10, False),  # it was told when it came
        ("b2", 5, 11, False),  # it was among the past
        ("b2", 6, 11, True),
        ("b3", 1, 11, True),
    ],
)
def test_what_was_among_the_past_is_not_told_again(
    branch: str, seq: int, position: int, is_new: bool
) -> None:
    listener = Listener(
        origin="127.0.0.1",
        wanted=EVERYTHING,
        tasks=False,
        rows=False,
        may_write=False,
        position=10,
        known={"b2": Cursor(1, 5)},
        may_listen=lambda: True,
        release=lambda: None,
    )
    event = Event(seq=seq, at=1.0, kind="a.b", reason="", branch=branch, life=1)
    assert listener.lacks(Arrival(position, event)) is is_new


# --- rows ----------------------------------------------------------------------------------------


def test_rows_tell_of_what_changed_and_of_what_is_gone(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_caster, "ROWS_S", 0.05)
    monkeypatch.setattr(row_caster, "VITALS_S", 0.05)
    branch.client.simulate_put("/shop/instances/w0/")
    with served.follow("/events/?rows=1&kind=nothing.at-all") as follower:
        assert follower.frame().event == "hello"
        branch.client.simulate_put("/shop/instances/w1/")
        branch.client.simulate_put("/shop/queues/q1/")
        rows = follower.rows("instance", "app", "queue")
        assert rows["instance"]["name"] == "w1"
        assert rows["instance"]["state"] == "pending"
        assert rows["app"]["instances"] == ["w0", "w1"]
        assert (rows["queue"]["app"], rows["queue"]["name"]) == ("shop", "q1")
        assert follower.rows("vitals")["vitals"]["alerts"] == []
        branch.supervisor.runs("w1")
        rows = follower.rows("instance")
        assert rows["instance"]["state"] == "running"
        branch.members.change(BRANCH_ID, drained=True)
        assert follower.rows("branch")["branch"]["drained"] is True
        branch.client.simulate_delete("/shop/instances/w1/")
        branch.client.simulate_delete("/shop/queues/q1/")
        rows = follower.rows("instance-gone", "queue-gone")
        assert rows["instance-gone"] == {"name": "w1"}
        assert rows["queue-gone"] == {"app": "shop", "name": "q1"}


def test_rows_hold_no_password_for_those_who_may_not_write(
    branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_caster, "ROWS_S", 0.05)
    tokens = RevocableTokens()
    tokens.callers["cyme_o_operator"] = Caller(Role.OPERATOR, "otto")
    with (
        serving(branch, tokens=tokens) as served,
        served.follow("/events/?rows=1", "Authorization: Bearer cyme_v_viewer") as viewer,
        served.follow("/events/?rows=1", "Authorization: Bearer cyme_o_operator") as operator,
    ):
        branch.client.simulate_put("/shop/instances/w1/")
        seen = [each.rows("instance")["instance"] for each in (viewer, operator)]
        assert seen[0]["broker"]["password"] == "********"
        assert seen[1]["broker"]["password"] == "guest"


def test_what_did_not_change_is_not_sent_again(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_caster, "ROWS_S", 0.02)
    for number in range(30):
        branch.client.simulate_put(f"/shop/instances/w{number}/")
    with served.follow("/events/?rows=1&kind=nothing.at-all") as follower:
        follower.rows("vitals")
        branch.supervisor.runs("w7")
        assert follower.frame().data["name"] == "w7"
        branch.supervisor.runs("w8")
        assert follower.frame().data["name"] == "w8"

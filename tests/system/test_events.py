"""What happens on one branch, followed on another: real branches, a real worker, a real kill."""

from __future__ import annotations

import contextlib

import gevent
import pytest

from tests.api.streams import Follower
from tests.api.wire import RawClient
from tests.system.branches import Branch
from tests.system.clusters import know_each_other
from tests.system.conftest import StartBranch
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Story:
    """What a stream tells, read as it comes."""

    def __init__(self, branch: Branch, path: str, *fields: str) -> None:
        client = RawClient(("127.0.0.1", branch.port))
        client.socket.settimeout(60.0)
        self.follower = Follower(client, path, *fields)
        self.events: list[dict[str, object]] = []
        self._reading = gevent.spawn(self._read)

    def _read(self) -> None:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self.events.append(self.follower.event().data)

    def told(self, kind: str, **data: object) -> dict[str, object] | None:
        """Return the event of this kind and of these facts, if it was told."""
        for event in self.events:
            if event["kind"] == kind and data.items() <= dict(event["data"]).items():  # type: ignore[call-overload]
                return event
        return None

    def awaits(self, kind: str, timeout_s: float = 60.0, **data: object) -> dict[str, object]:
        """Wait for an event, and return it."""
        return eventually(lambda: self.told(kind, **data), timeout_s)

    def close(self) -> None:
        self._reading.kill()
        self.follower.client.socket.close()


def test_a_story_is_told_on_every_branch_whatever_dies_meanwhile(
    start_branch: StartBranch,
) -> None:
    first = start_branch("--takeover", "off", name="branch1")
    second = start_branch("--takeover", "off", name="branch2")
    know_each_other([first, second])
    story = Story(first, "/events/")

    # A worker comes to run on the other branch, and dies.
    second.put("/foo/instances/w1/", branch="branch2")
    started = story.awaits("instance.started", state="running", was="starting")
    assert (started["branch"], started["instance"]) == ("branch2", "w1")
    created = story.told("instance.created")
    assert created is not None
    assert dict(created["data"])["by"] == "admin"  # type: ignore[call-overload]
    second.kill_workers()
    failed = story.awaits("instance.failed", was="running")
    assert "signal 9" in str(failed["reason"])
    story.awaits("instance.restarting", state="starting")
    eventually(lambda: len(_of(story, "instance.started")) == 2, 60.0)

    # The branch itself is killed; what it tells when it is back follows what it told before.
    log = second.directory / "events.jsonl"
    eventually(lambda: log.read_text().count("instance.started") == 2)
    second.kill()
    gone = story.awaits("branch.failed", branch="branch2")
    assert gone["branch"] == "branch1"
    last = story.events[-1]
    story.close()
    second.start()
    second.running("foo", "w1")
    assert len(_of_list(first, "kind=instance.started&branch=branch2")) >= 2, "it remembers"

    # Who was cut off meanwhile comes back, and has missed nothing.
    story = Story(first, "/events/", f"Last-Event-ID: {last['id']}")
    adopted = story.awaits("instance.adopted")
    assert adopted["branch"] == "branch2"
    story.awaits("branch.returned", branch="branch2")
    ids = [event["id"] for event in story.events]
    assert len(set(ids)) == len(ids)
    assert last["id"] not in ids
    story.close()

    # An earlier life and this one are one history, in order, wherever it is asked for.
    history = first.get("/foo/instances/w1/events/")
    assert isinstance(history, list)
    kinds = [event["kind"] for event in history]
    assert kinds[0] == "instance.created"
    assert kinds.index("instance.failed") < kinds.index("instance.adopted")
    seqs = [event["seq"] for event in history]
    assert seqs == sorted(seqs)

    # A branch that stops lets nobody hang.
    story = Story(first, "/events/?rows=1")
    assert first.stop() == 0
    eventually(story._reading.ready, 10.0)
    story.close()


def _of(story: Story, kind: str) -> list[dict[str, object]]:
    return [event for event in story.events if event["kind"] == kind]


def _of_list(branch: Branch, query: str) -> list[object]:
    events = branch.get(f"/events/?follow=0&{query}")
    assert isinstance(events, list)
    return events

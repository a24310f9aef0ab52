"""The log of a real worker, followed, and the alert of one that is given up, at a real target."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import gevent
import pytest

from tests.alert_targets import AlertTarget, Sent, alert_target
from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SECRET = "a secret of sixteen and more"
LOG = "/foo/instances/w1/log/"


class Follower:
    """Somebody who follows a log in the background."""

    def __init__(self, branch: Branch, path: str) -> None:
        self.text = ""
        self.ended = False
        self._connection = HTTPConnection("127.0.0.1", branch.port, timeout=120)
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._reading = gevent.spawn(self._read)

    def _read(self) -> None:
        while piece := self._answer.read1():
            self.text += piece.decode()
        self.ended = True

    def sees(self, words: str, timeout_s: float = 30.0) -> None:
        """Wait until something was told."""
        try:
            eventually(lambda: words in self.text, timeout_s)
        except AssertionError:
            raise AssertionError(f"no {words!r} in {self.text[-3000:]}") from None


@pytest.fixture
def target() -> Iterator[AlertTarget]:
    with alert_target() as target:
        yield target


@pytest.fixture
def secret(room: Path) -> Path:
    path = room / "alert.secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def test_a_log_is_followed_wherever_its_worker_runs_and_trouble_is_told(
    start_branch: StartBranch, target: AlertTarget, secret: Path, rabbitmq_url: str
) -> None:
    small = ("--log-size", "2K", "--log-keep", "20", "--restarts-max", "1")
    shared = ("--broker", rabbitmq_url, *small)
    alerts = ("--alert-url", f"{target.url}/hook", "--alert-secret-file", str(secret))
    b1 = start_branch(*shared, *alerts, name="b1")
    b2 = start_branch(*shared, name="b2")
    eventually(lambda: b2.states().get("b1") == b1.states().get("b2") == "alive", 20)
    b1.put("/foo/")
    b1.put("/foo/instances/w1/", branch="b1")
    eventually(lambda: b2.ask("GET", LOG).status == 200, 10)

    # Through the other branch, from before the worker has begun to log.
    follower = Follower(b2, f"{LOG}?follow=1&lines=10000")
    b1.running("foo", "w1")
    follower.sees("ready.")

    # Its log is rotated while it logs, and whoever follows sees each line once.
    place = b1.workers_directory / "w1"
    # The branch looks at the size now and then, so what comes in between fills one file only.
    numbers = count()

    def is_rotated_twice() -> bool:
        b1.ask("GET", f"/foo/queue/dq.w1/http://127.0.0.1:9/{next(numbers)}/{'x' * 60}")
        return (place / "worker.log.2").exists()

    eventually(is_rotated_twice, 60)
    whole = b2.ask("GET", f"{LOG}?lines=10000").body.decode().splitlines()
    eventually(lambda: set(whole) <= set(follower.text.splitlines()), 20)
    assert "received" in follower.text
    counted = Counter(line for line in follower.text.splitlines() if line.startswith("["))
    kept = Counter(line for file in place.glob("worker.log*") for line in lines_of(file))
    assert {line for line, count in counted.items() if count > kept[line]} == set()

    # The branch is started again, and its worker runs on.
    b1.stop()
    follower.sees("-- cyme: branch b1 cannot be asked; waiting for it --")
    b1.start()
    follower.sees("-- cyme: branch b1 answers again --")
    target.answers = [(500, {})]
    b1.put("/foo/instances/w2/", branch="b1", celery_app="no_such_module")
    starts = follower.text.count("ready.")
    b1.post("/foo/instances/w1/restart/")
    eventually(lambda: follower.text.count("ready.") > starts, 60)

    # The instance moves, and the follower with it.
    b1.ask(
        "POST",
        "/foo/instances/w1/move/?branch=b2",
        headers={"Authorization": f"Bearer {b1.admin_token}"},
    )
    follower.sees("-- cyme: w1 runs on branch b2 now --", 60)
    eventually(lambda: "ready." in follower.text.partition("b2 now --")[2], 60)

    # The worker that cannot start is given up, which is told once, signed, and after a first 500.
    sent = eventually(lambda: [s for s in target.sent if s.json["subject"] == "w2"][1:], 90)
    first, told = target.sent[0], sent[0]
    assert first.body == told.body
    assert first.headers["x-cyme-delivery"] == told.headers["x-cyme-delivery"]
    check_alert(told)
    assert b2.get("/cluster/vitals/")["alerts"] == [  # type: ignore[index]
        {
            "kind": "instance-disabled",
            "subject": "w2",
            "app": "foo",
            "reason": told.json["reason"],
            "since": told.json["since"],
        }
    ]
    words = b2.ask("GET", "/foo/instances/w2/log/").body.decode()
    assert "no_such_module" in words

    # A branch that stops ends what is followed.
    b2.stop()
    eventually(lambda: follower.ended)
    assert len([s for s in target.sent if s.json["subject"] == "w2"]) == 2


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines()


def check_alert(sent: Sent) -> None:
    assert sent.path == "/hook"
    assert sent.is_signed_with(SECRET)
    told = sent.json
    assert told.pop("id")
    assert told.pop("since") <= told.pop("at")
    assert "no_such_module" in told["reason"]
    told.pop("reason")
    assert told == {
        "kind": "instance-disabled",
        "state": "firing",
        "subject": "w2",
        "app": "foo",
        "branch": "b1",
        "cluster": "default",
    }
    assert json.dumps(told)

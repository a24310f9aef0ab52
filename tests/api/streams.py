"""Event streams: a branch that serves them, and a client that follows them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cyme.api.app import create_app
from cyme.api.server import HttpServer
from cyme.api.streaming.broadcaster import Broadcaster, StreamLimits
from cyme.core.access import Caller, Role
from cyme.core.events import Event
from tests.api.branch import FakeBranch
from tests.api.wire import TIMEOUT_S, RawClient


@dataclass(frozen=True)
class Frame:
    """A frame of a stream; ``event`` is empty where it is an event of the journal."""

    event: str
    id: str
    data: Any


class Follower:
    """Follows a stream, frame by frame."""

    def __init__(self, client: RawClient, path: str = "/events/", *fields: str) -> None:
        self.client = client
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""])
        client.send(head.encode())
        line, *headers = client.read_until(b"\r\n\r\n").decode().split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in headers)
        }

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.socket.close()

    def frame(self) -> Frame:
        """Return the next frame that is no comment."""
        while True:
            lines = self.client.read_until(b"\n\n").decode().split("\n")
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if fields.keys() - {"retry"}:
                data = json.loads(fields["data"])
                return Frame(fields.get("event", ""), fields.get("id", ""), data)

    def event(self) -> Frame:
        """Return the next frame that is an event of the journal."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            frame = self.frame()
            if not frame.event:
                return frame
        raise TimeoutError

    def reasons(self, count: int) -> list[str]:
        """Return the reasons of the next events."""
        return [self.event().data["reason"] for _ in range(count)]

    def rows(self, *names: str) -> dict[str, Any]:
        """Return the next frame of each of these names."""
        found: dict[str, Any] = {}
        while found.keys() != set(names):
            frame = self.frame()
            if frame.event in names:
                found.setdefault(frame.event, frame.data)
        return found


class RevocableTokens:
    """Tokens that can be revoked."""

    def __init__(self) -> None:
        self.callers = {"cyme_v_viewer": Caller(Role.VIEWER, "vera")}

    def authenticate(self, token: str) -> Caller | None:
        return self.callers.get(token)


class Served:
    """A branch's API on a real port, and what sends its streams."""

    def __init__(
        self,
        branch: FakeBranch,
        *,
        streams: StreamLimits | None = None,
        tokens: RevocableTokens | None = None,
        **options: Any,
    ) -> None:
        self.streams = Broadcaster(branch.service, limits=streams)
        app: Any = create_app(
            branch.service,
            tokens=tokens or RevocableTokens(),
            open_access=tokens is None,
            streams=self.streams,
        )
        self.server = HttpServer(app, ("127.0.0.1", 0), **options)

    def follow(self, path: str = "/events/", *fields: str) -> Follower:
        return Follower(RawClient(self.server.address), path, *fields)


@contextmanager
def serving(branch: FakeBranch, **options: Any) -> Iterator[Served]:
    """Serve a branch for a while."""
    served = Served(branch, **options)
    served.server.start()
    try:
        yield served
    finally:
        served.server.stop(1.0)
        served.streams.stop(1.0)


def tell(branch: FakeBranch, *reasons: str, kind: str = "a.b", **about: Any) -> list[Event]:
    """Have something happen on a branch, once for each reason."""
    return [branch.journal.record(kind, reason, **about) for reason in reasons]

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from cyme.client import (
    BadReply,
    Client,
    ConnectionFailed,
    Event,
    Forbidden,
    Info,
    LogStream,
    Row,
    Timeout,
    Unavailable,
    logs,
    streams,
)
from tests.client.server import (
    EVENTS,
    chunk,
    closes,
    event_frame,
    head,
    problem,
    says,
    sends,
    serving,
    waits,
)
from tests.system.branches import free_port
from tests.waiting import eventually

HELLO = 'event: hello\ndata: {"branch": "b1", "version": "1", "at": "2026-01-01T00:00:00Z"}\n\n'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAUSE_S_FIRST", 0.01)


@pytest.fixture
def done() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def events(*numbers: int) -> list[bytes]:
    return [EVENTS, chunk(HELLO), *(chunk(event_frame(number)) for number in numbers)]


def test_yields_events_and_asks_with_its_filters(done: threading.Event) -> None:
    with serving(waits(done, *events(1, 2))) as server:
        stream = Client(server.url, token="t").stream(
            kind=["instance.*", "app.created"], app="foo", since=60, tasks=True, branch=None
        )
        with stream:
            first, second = next(stream), next(stream)
        assert (first.id, first.kind, second.seq) == ("e1", "instance.running", 2)
        assert (stream.last_id, stream.branch) == ("e2", "b1")
        asked = server.asked[0]
        assert (
            asked.target == "/events/?kind=instance.%2A%2Capp.created&app=foo&since=60&tasks=true"
        )
        assert asked.headers["accept"] == "text/event-stream"
        assert asked.headers["authorization"] == "Bearer t"
        assert "last-event-id" not in asked.headers


def test_goes_on_after_the_last_event_when_a_connection_breaks(done: threading.Event) -> None:
    broken, whole = sends(*events(1, 2)), waits(done, *events(3))
    with serving(broken, whole) as server, Client(server.url).stream(after="e0") as stream:
        assert [next(stream).seq for _ in range(3)] == [1, 2, 3]
        assert [each.headers["last-event-id"] for each in server.asked] == ["e0", "e2"]


def test_a_stream_that_never_lasts_is_not_asked_for_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "PAUSE_S_FIRST", 0.3)
    with serving(*[sends(*events())] * 100) as server:
        assert list(Client(server.url).stream(timeout_s=1.0)) == []
        assert 2 <= len(server.asked) <= 5


@pytest.mark.parametrize("event_id", ["\N{SNOWMAN}", "x\x01y", "x" * 5_000])
def test_an_id_that_no_header_can_hold_is_not_given_back(
    event_id: str, done: threading.Event
) -> None:
    odd = chunk(event_frame(1).replace("id: e1", f"id: {event_id}"))
    broken, whole = sends(*events(), odd), waits(done, *events(2))
    with serving(broken, whole) as server, Client(server.url).stream() as stream:
        assert [next(stream).seq for _ in range(2)] == [1, 2]
        assert "last-event-id" not in server.asked[1].headers


def test_goes_on_at_another_branch_when_one_dies(done: threading.Event) -> None:
    with serving(waits(done, *events(1))) as first, serving(waits(done, *events(2))) as second:
        stream = Client(first.url, urls=[second.url]).stream()
        assert next(stream).seq == 1
        first.stop()
        assert next(stream).seq == 2
        assert second.asked[0].headers["last-event-id"] == "e1"
        stream.close()


def test_a_frame_that_was_cut_is_told_once(done: threading.Event) -> None:
    half = chunk(event_frame(2))[:-20]
    with serving(sends(*events(1), half), waits(done, *events(2))) as server:
        stream = Client(server.url).stream()
        assert [next(stream).seq for _ in range(2)] == [1, 2]
        stream.close()


def test_silence_is_a_break(done: threading.Event) -> None:
    with serving(waits(done, *events(1)), waits(done, *events(2))) as server:
        stream = Client(server.url).stream(heartbeat_s=1.0)
        assert [next(stream).seq for _ in range(2)] == [1, 2]
        assert len(server.asked) == 2
        stream.close()


def test_ends_at_its_deadline(done: threading.Event) -> None:
    with serving(waits(done, *events(1))) as server:
        begun = time.monotonic()
        assert [each.seq for each in Client(server.url).stream(timeout_s=1.5)] == [1]
        assert 1.4 < time.monotonic() - begun < 10


def test_ends_when_another_thread_closes_it(done: threading.Event) -> None:
    with serving(waits(done, *events(1))) as server:
        stream = Client(server.url).stream()
        next(stream)
        rest: list[Event] = []
        reader = threading.Thread(target=lambda: rest.extend(stream))
        reader.start()
        eventually(reader.is_alive)
        stream.close()
        reader.join(5)
        assert not reader.is_alive()
        assert (rest, len(server.asked)) == ([], 1)


def test_counts_what_was_dropped_and_shows_rows_when_asked_to(done: threading.Event) -> None:
    rows = [
        chunk('event: instance\ndata: {"name": "w1", "state": "running"}\n\n'),
        chunk('event: dropped\ndata: {"count": 7}\n\n'),
    ]
    said = [EVENTS, chunk(HELLO), *rows, chunk(event_frame(1))]
    with serving(waits(done, *said)) as server:
        with Client(server.url).stream() as stream:
            assert next(stream).seq == 1
            assert stream.dropped == 7
        with Client(server.url).live(app="foo") as live:
            found = [next(live) for _ in range(4)]
        assert [each.kind for each in found] == ["hello", "instance", "dropped", "instance.running"]
        assert isinstance(found[1], Row)
        assert found[1].data.name == "w1"
        assert server.asked[1].target == "/events/?rows=true&app=foo"


def test_gives_up_after_so_many_failures_in_a_row(done: threading.Event) -> None:
    with serving(sends(*events(1)), closes) as server:
        stream = Client(server.url).stream(reconnects=3)
        assert next(stream).seq == 1
        with pytest.raises(ConnectionFailed):
            next(stream)
        assert len(server.asked) == 4
    with pytest.raises(ConnectionFailed):
        next(Client(f"http://127.0.0.1:{free_port()}").stream(reconnects=1))


def test_waits_for_a_branch_that_has_too_many_listeners(done: threading.Event) -> None:
    busy = problem(503, Retry_After="0")
    with serving(busy, waits(done, *events(1))) as server, Client(server.url).stream() as stream:
        assert next(stream).seq == 1
    with serving(problem(503, Retry_After="0")) as server:
        stream = Client(server.url).stream(reconnects=2)
        with pytest.raises(Unavailable):
            next(stream)
        assert len(server.asked) == 3


def test_what_trying_again_cannot_mend_is_raised_at_once() -> None:
    with serving(problem(403, "No.")) as server, pytest.raises(Forbidden, match="No"):
        Client(server.url).stream().connect()
    with serving(says([])) as server, pytest.raises(BadReply, match="no events"):
        next(Client(server.url).stream())


@pytest.mark.parametrize("data", ["[1]", "{", '{"id": "x"}', '{"at": "nonsense", "kind": "x"}'])
def test_an_event_that_is_none_is_told_as_that(data: str) -> None:
    with serving(sends(EVENTS, chunk(f"data: {data}\n\n"))) as server, pytest.raises(BadReply):
        next(Client(server.url).stream())


def test_lists_what_happened() -> None:
    members = json.loads(event_frame(5).splitlines()[1].removeprefix("data: "))
    with serving(says([members])) as server:
        (event,) = Client(server.url).events(since="2026-01-01T00:00:00Z", kind="app.*")
        assert (event.seq, event.kind, event.data) == (5, "instance.running", Info({}))
        assert server.asked[0].target == (
            "/events/?since=2026-01-01T00%3A00%3A00Z&limit=100&follow=false&kind=app.%2A"
        )


# --- logs ----------------------------------------------------------------------------------------

TEXT = head(200, {"Content-Type": "text/plain; charset=utf-8", "Transfer-Encoding": "chunked"})


def followed(url: str) -> LogStream:
    return Client(url).apps.of("foo").instances.of("w1").follow_log(5, since=60)


def test_follows_a_log_line_by_line(done: threading.Event) -> None:
    said = "one\ntwo é".encode()
    parts = [said[:-1], said[-1:] + b"\nth", b"ree\n"]
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    with serving(waits(done, TEXT, *chunks)) as server, followed(server.url) as log:
        assert [next(log) for _ in range(3)] == ["one", "two é", "three"]
        assert server.asked[0].target == "/foo/instances/w1/log/?lines=5&since=60&follow=1"


def test_a_log_can_be_waited_for_again_and_again(done: threading.Event) -> None:
    go_on = threading.Event()

    def answer(taken: object, asked: object) -> bool:
        taken.sendall(TEXT + chunk("a\n"))  # type: ignore[attr-defined]
        go_on.wait(10)
        taken.sendall(chunk("b\n") + b"0\r\n\r\n")  # type: ignore[attr-defined]
        return False

    with serving(answer) as server, followed(server.url) as log:
        assert log.next_line(5) == "a"
        for _ in range(2):
            with pytest.raises(Timeout):
                log.next_line(0.1)
        go_on.set()
        assert list(log) == ["b"]
        assert log.next_line(1) is None


def test_a_log_that_breaks_off_is_told() -> None:
    with serving(sends(TEXT, chunk("a\nrest"))) as server, followed(server.url) as log:
        assert next(log) == "a"
        with pytest.raises(ConnectionFailed):
            next(log)


class Parts:
    """A log that comes in parts."""

    status = 200
    headers: Mapping[str, str] = MappingProxyType({})
    url = "http://branch"

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def read(self, timeout_s: float) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def close(self) -> None:
        self._parts.clear()


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([b"a\n\nb"], ["a", "", "b"]),
        ([b"abcdefgh", b"\nij\n"], ["abcdefgh", "ij"]),
        ([b"abcdefgh", b"ij\n\nk\n"], ["abcdefgh", "ij", "", "k"]),
        ([b"abcdefgh", b"", b"\n"], ["abcdefgh"]),
        ([b"\xc3", b"\xa9\n", b"\xff\n"], ["é", "\ufffd"]),
        ([], []),
    ],
)
def test_a_line_that_is_too_long_comes_in_parts_and_the_last_one_needs_no_end(
    parts: list[bytes], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINE_CHARS_MAX", 4)
    assert list(LogStream(Parts(*parts))) == lines


def test_a_log_without_chunks_ends_with_its_connection() -> None:
    plain = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\none\ntwo\n"
    with serving(sends(plain)) as server:
        assert list(followed(server.url)) == ["one", "two"]
    counted = head(200, {"Content-Length": "4"}) + b"one\n"
    with serving(sends(counted)) as server:
        assert list(followed(server.url)) == ["one"]


def test_closing_a_log_from_another_thread_ends_it(done: threading.Event) -> None:
    with serving(waits(done, TEXT, chunk("a\n"))) as server:
        log = followed(server.url)
        assert next(log) == "a"
        rest: list[str] = []
        reader = threading.Thread(target=lambda: rest.extend(log))
        reader.start()
        log.close()
        reader.join(5)
        assert not reader.is_alive()
        assert rest == []

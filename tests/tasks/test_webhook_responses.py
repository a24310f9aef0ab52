"""What comes of an answer, of one that is late, and of none."""

from __future__ import annotations

import base64
import json
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest
from celery.exceptions import Retry

from cyme import tasks
from cyme.tasks import WebhookFailed, WebhookForbidden, WebhookInvalid
from tests.tasks.targets import answering, raw_target, redirect, response
from tests.tasks.webhooks import webhook

pytestmark = pytest.mark.usefixtures("loopback_allowed")

# --- what comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        ("grüß".encode(), (), {"content": "grüß"}),
        (b"gr\xfc\xdf", ("Content-Type: text/plain; charset=latin-1",), {"content": "grüß"}),
        (b"gr\xfc\xdf", ("Content-Type: text/plain; charset=no-such",), {"encoding": "base64"}),
        (b"\xff\x00\xfe", ("Content-Type: image/png",), {"encoding": "base64"}),
        (b"hello", ("Content-Type: t/t; charset=zlib",), {"encoding": "base64"}),
        (b"+2AA-", ("Content-Type: t/t; charset=utf-7",), {"encoding": "base64"}),
        (b"abc", ("Content-Encoding: gzip",), {"encoding": "base64"}),
        (b"", (), {"content": ""}),
    ],
)
def test_text_comes_as_text_and_the_rest_as_base64(
    content: bytes, headers: tuple[str, ...], expected: dict[str, str]
) -> None:
    with raw_target(answering(response(content, headers=headers))) as target:
        result = webhook(target.url)
    expected.setdefault("content", base64.b64encode(content).decode())
    assert {"content": result["content"]} | (
        {"encoding": result["encoding"]} if "encoding" in result else {}
    ) == expected


@pytest.mark.parametrize("status", ["201 Created", "404 Not Found", "500 Oops", "503 Busy"])
def test_every_status_is_a_result(status: str) -> None:
    with raw_target(answering(response(b"told", status=status))) as target:
        assert webhook(target.url)["status_code"] == int(status[:3])


def test_repeated_headers_are_joined() -> None:
    headers = ("X-A: 1", "x-a: 2", "Set-Cookie: a=1, b", "Set-Cookie: c=2")
    with raw_target(answering(response(headers=headers))) as target:
        result = webhook(target.url)
    assert result["headers"]["X-A"] == "1, 2"
    assert result["headers"]["Set-Cookie"] == "a=1, b\nc=2"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_long_response_is_truncated(chunked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_RESPONSE_BYTES", "1001")
    content = "ü".encode() * 5000
    answer = response(content)
    if chunked:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = head + f"{len(content):x}\r\n".encode() + content + b"\r\n0\r\n\r\n"
    with raw_target(answering(answer)) as target:
        result = webhook(target.url)
    assert result["truncated"] is True
    assert result["content"] == "ü" * 500


def test_a_response_of_just_the_limit_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_RESPONSE_BYTES", "1000")
    with raw_target(answering(response(b"x" * 1000))) as target:
        result = webhook(target.url)
    assert result["content"] == "x" * 1000
    assert "truncated" not in result


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
    ],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    with raw_target(answering(answer)) as target, pytest.raises(WebhookFailed):
        webhook(target.url)


def test_a_tunnel_is_not_listened_to() -> None:
    def connect(sock: socket.socket, _: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        sock.recv(1)

    with raw_target(connect) as target:
        result = webhook(target.url, "CONNECT")
    assert (result["status_code"], result["content"]) == (200, "")


def test_an_answer_before_the_end_of_the_body_is_the_result() -> None:
    answer = answering(response(b"too large", status="413 Too Large"))
    with raw_target(answer, reads_bodies=False) as target:
        result = webhook(target.url, "POST", body=b"x" * 8_000_000)
    assert (result["status_code"], result["content"]) == (413, "too large")
    assert len(target.requests[0]) < 8_000_000


# --- time ----------------------------------------------------------------------------------------


def trickle(parts: Callable[[], Iterator[bytes]]) -> Callable[[socket.socket, bytes], None]:
    def answer(sock: socket.socket, _: bytes) -> None:
        for part in parts():
            sock.sendall(part)
            Event().wait(0.05)

    return answer


def endless_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX: "
    while True:
        yield b"y"


def endless_content() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b"y"


@pytest.mark.parametrize("parts", [endless_headers, endless_content])
def test_a_target_that_trickles_cannot_exceed_the_deadline(
    parts: Callable[[], Iterator[bytes]],
) -> None:
    with raw_target(trickle(parts)) as target:
        began = time.monotonic()
        with pytest.raises(WebhookFailed, match="in time"):
            webhook(target.url, timeout_s=0.4)
        assert time.monotonic() - began < 5


def test_a_target_that_says_nothing_fails_at_the_deadline() -> None:
    with raw_target(lambda sock, _: sock.recv(1)) as target, pytest.raises(WebhookFailed):
        webhook(target.url, timeout_s=0.2)


def test_a_resolver_that_hangs_fails_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = Event()
    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", lambda *_, **__: hangs.wait(9))
    began = time.monotonic()
    with pytest.raises(WebhookFailed, match="looked up"):
        webhook("http://slow.test/", timeout_s=0.2)
    assert time.monotonic() - began < 5
    hangs.set()


def test_an_unknown_host_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", getaddrinfo)
    with pytest.raises(WebhookFailed, match="Name or service not known"):
        webhook("http://nowhere.test/")


# --- failures ------------------------------------------------------------------------------------


def test_a_closed_port_is_a_failure() -> None:
    with raw_target(answering(response())) as target:
        url = target.url
    with pytest.raises(WebhookFailed, match="refused"):
        webhook(url)


def test_failures_survive_json_and_pickle() -> None:
    for kind in (WebhookFailed, WebhookForbidden, WebhookInvalid):
        failure = pickle.loads(pickle.dumps(kind("because")))
        assert (type(failure), failure.args) == (kind, ("because",))
        assert json.loads(json.dumps(failure.args)) == ["because"]


def test_failures_name_neither_password_nor_query(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_target(answering(b"")) as silent, raw_target(answering(redirect("/?hidden"))) as loop:
        for authority in ("127.0.0.1:1", silent.authority, loop.authority):
            with pytest.raises(WebhookFailed) as caught:
                webhook(f"http://me:hidden@{authority}/a?token=hidden")
            assert f"http://{authority}/" in str(caught.value)
            assert "hidden" not in str(caught.value)
    monkeypatch.delenv("CYME_WEBHOOK_ALLOW")
    with pytest.raises(WebhookForbidden) as forbidden:
        webhook("http://me:hidden@127.0.0.1/a?token=hidden")
    assert "hidden" not in str(forbidden.value)


def test_a_retry_is_announced_without_password_and_query() -> None:
    url = "http://me:hidden@127.0.0.1:1/?token=hidden"
    tasks.webhook.push_request(
        id="a", is_eager=True, called_directly=False, kwargs={"url": url}, delivery_info={}
    )
    try:
        with pytest.raises(Retry) as caught:
            tasks.webhook.run(url=url, method="GET", retries=1)
    finally:
        tasks.webhook.pop_request()
    options = caught.value.sig.options
    assert options["kwargsrepr"] == repr({"method": "GET", "url": "http://127.0.0.1:1/"})
    assert options["argsrepr"] == "()"
    assert "hidden" not in str(caught.value)


def test_retries_come_later_and_later_and_not_all_at_once() -> None:
    delays = [tasks.retry_delay_s(3) for _ in range(50)]
    assert all(4 <= delay <= 8 for delay in delays)
    assert len(set(delays)) > 1
    assert tasks.retry_delay_s(1000) <= tasks.RETRY_S_MAX

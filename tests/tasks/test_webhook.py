"""The task makes real requests to real servers on this machine."""

from __future__ import annotations

import base64
import json
import pickle
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from celery.exceptions import Retry

import cyme
from cyme import tasks
from cyme.tasks import WebhookFailed, WebhookForbidden, WebhookInvalid
from tests.tasks.targets import RawTarget, answering, raw_target, redirect, response


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "loopback")


@pytest.fixture
def hello() -> Iterator[RawTarget]:
    with raw_target(answering(response(b"hello"))) as target:
        yield target


def webhook(url: str, method: str = "GET", **arguments: Any) -> dict[str, Any]:
    """Run the task as a worker would, with arguments that went through JSON."""
    if "body" in arguments:
        arguments["body"] = base64.b64encode(arguments["body"]).decode()
    arguments = {"timeout_s": 5.0, **arguments}
    result = tasks.webhook(**json.loads(json.dumps({"url": url, "method": method, **arguments})))
    return dict(json.loads(json.dumps(result)))


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have names lead to one address after the other; return what was looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", getaddrinfo)
    return asked


# --- what goes out -------------------------------------------------------------------------------


def test_query_and_body_go_out_byte_for_byte(hello: RawTarget) -> None:
    body = bytes(range(256))
    query = "/a%2Fb/../c;d?q=%c3%A9+b%2f&empty=&a=1&a=2;x&'\"<>[]{}|\\^`"
    webhook(hello.url + query, "POST", body=body, content_type="text/x-import; charset=x")
    head, _, sent = hello.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == f"POST {query} HTTP/1.1".encode()
    assert sent == body
    assert set(lines[1:]) == {
        f"Host: {hello.authority}".encode(),
        f"User-Agent: cyme/{cyme.__version__}".encode(),
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"Content-Type: text/x-import; charset=x",
        b"Content-Length: 256",
        b"Connection: close",
    }


@pytest.mark.parametrize(
    "method",
    ["GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH", "PROPFIND"],
)
def test_every_verb_goes_out_as_it_is(method: str) -> None:
    content = b"" if method == "HEAD" else b"hello"
    with raw_target(answering(response(content))) as target:
        result = webhook(target.url + "/x?y", method)
    assert target.requests[0].startswith(f"{method} /x?y HTTP/1.1\r\n".encode())
    assert (result["status_code"], result["content"]) == (200, content.decode())


@pytest.mark.parametrize(("method", "announced"), [("GET", False), ("POST", True), ("PUT", True)])
def test_an_empty_body_is_announced_where_one_is_expected(
    hello: RawTarget, method: str, announced: bool
) -> None:
    webhook(hello.url, method)
    assert (b"Content-Length: 0" in hello.requests[0]) is announced
    assert b"Content-Type" not in hello.requests[0]


def test_a_login_is_sent_and_not_shown(hello: RawTarget) -> None:
    url = f"http://me:p%40ss@{hello.authority}/a"
    result = webhook(url)
    assert (
        f"Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}".encode()
        in (hello.requests[0])
    )
    assert b"@" not in hello.requests[0].partition(b"Authorization")[0]
    assert result["url"] == f"{hello.url}/a"
    assert "p%40ss" not in json.dumps(result)


def test_proxies_of_the_environment_are_ignored(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert webhook(hello.url)["content"] == "hello"


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "GET /x HTTP/1.1\r\nEvil: 1"},
        {"method": "GE T"},
        {"method": ""},
        {"content_type": "text/plain\r\nEvil: 1"},
        {"content_type": "t\u20ac"},
    ],
)
def test_nothing_can_be_smuggled_into_a_request(
    hello: RawTarget, arguments: dict[str, str]
) -> None:
    with pytest.raises(WebhookInvalid):
        webhook(hello.url, **arguments)
    assert not any(b"Evil" in request for request in hello.requests)


def test_a_body_that_is_not_base64_is_refused(hello: RawTarget) -> None:
    with pytest.raises(WebhookInvalid):
        tasks.webhook(url=hello.url, method="POST", body="no!")


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
        assert time.monotonic() - began < 1.5


def test_a_target_that_says_nothing_fails_at_the_deadline() -> None:
    with raw_target(lambda sock, _: sock.recv(1)) as target, pytest.raises(WebhookFailed):
        webhook(target.url, timeout_s=0.2)


def test_a_resolver_that_hangs_fails_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = Event()
    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", lambda *_, **__: hangs.wait(9))
    began = time.monotonic()
    with pytest.raises(WebhookFailed, match="looked up"):
        webhook("http://slow.test/", timeout_s=0.2)
    assert time.monotonic() - began < 1
    hangs.set()


def test_an_unknown_host_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", getaddrinfo)
    with pytest.raises(WebhookFailed, match="Name or service not known"):
        webhook("http://nowhere.test/")


# --- redirects -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_redirects_of_get_and_head_are_followed(method: str, status: str) -> None:
    found = response(b"found" if method == "GET" else b"")
    with raw_target(answering(redirect("/there?x=%2f", status), found)) as target:
        result = webhook(target.url + "/here", method)
    assert result["url"] == target.url + "/there?x=%2f"
    assert result["status_code"] == 200
    assert target.requests[1].startswith(f"{method} /there?x=%2f HTTP/1.1".encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_redirects_of_other_verbs_are_results(method: str) -> None:
    with raw_target(answering(redirect("/there"))) as target:
        result = webhook(target.url, method)
    assert (result["status_code"], result["headers"]["Location"]) == (302, "/there")
    assert len(target.requests) == 1


@pytest.mark.parametrize(("status", "again"), [("303 x", False), ("307 x", True)])
def test_a_body_is_sent_again_only_where_the_redirect_says_so(status: str, again: bool) -> None:
    with raw_target(answering(redirect("/there", status), response())) as target:
        webhook(target.url, "GET", body=b"query", content_type="a/b")
    assert target.requests[1].endswith(b"query") is again
    assert (b"Content-Type: a/b" in target.requests[1]) is again


def test_five_redirects_are_followed_and_no_more() -> None:
    with raw_target(answering(*[redirect("/next")] * 5, response(b"end"))) as target:
        assert webhook(target.url)["content"] == "end"
    with raw_target(answering(redirect("/next"))) as target:
        with pytest.raises(WebhookFailed, match="redirects"):
            webhook(target.url)
        assert len(target.requests) == 6


def test_a_login_does_not_follow_to_another_origin(hello: RawTarget) -> None:
    with raw_target(answering(redirect(hello.url))) as target:
        webhook(f"http://me:pw@{target.authority}/")
    assert b"Authorization" in target.requests[0]
    assert b"Authorization" not in hello.requests[0]


def test_a_redirect_without_a_location_is_a_result() -> None:
    with raw_target(answering(response(status="302 Found"))) as target:
        assert webhook(target.url)["status_code"] == 302


# --- where it may go -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0", "0.0.0.0"],
)
def test_this_machine_is_not_reached_unless_allowed(
    hello: RawTarget, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYME_WEBHOOK_ALLOW")
    with pytest.raises(WebhookForbidden, match="--webhook-allow"):
        webhook(f"http://{host}:{hello.port}/")
    assert hello.requests == []


@pytest.mark.parametrize("host", ["[::1]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]"])
def test_ipv6_spellings_of_this_machine_are_not_reached_unless_allowed(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "::1" if host == "[::1]" else "127.0.0.1"
    with raw_target(answering(response(b"six")), address=address) as target:
        assert webhook(f"http://{host}:{target.port}/")["content"] == "six"
        monkeypatch.delenv("CYME_WEBHOOK_ALLOW")
        with pytest.raises(WebhookForbidden):
            webhook(f"http://{host}:{target.port}/")
        assert len(target.requests) == 1


def test_metadata_services_are_forbidden_even_where_private_networks_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "private,loopback")
    with pytest.raises(WebhookForbidden):
        webhook("http://169.254.169.254/latest/meta-data/")


def test_a_redirect_to_a_forbidden_address_is_refused(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "127.0.0.2/32")
    with raw_target(answering(redirect(hello.url)), address="127.0.0.2") as target:
        with pytest.raises(WebhookForbidden):
            webhook(target.url)
        assert len(target.requests) == 1
    assert hello.requests == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1/"])
def test_a_redirect_to_another_scheme_is_refused(location: str) -> None:
    with (
        raw_target(answering(redirect(location))) as target,
        pytest.raises((WebhookForbidden, WebhookInvalid)),
    ):
        webhook(target.url)


def test_a_name_is_looked_up_once_so_that_it_cannot_be_rebound(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "127.0.0.2/32")
    asked = resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    with raw_target(answering(response(b"ok")), address="127.0.0.2", port=hello.port) as target:
        assert webhook(f"http://rebind.test:{hello.port}/")["content"] == "ok"
        assert f"Host: rebind.test:{hello.port}\r\n".encode() in target.requests[0]
    assert asked == ["rebind.test"]
    assert hello.requests == []


def test_a_name_that_is_rebound_between_redirects_is_refused(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "127.0.0.2/32")
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    answer = answering(redirect("/again"))
    with (
        raw_target(answer, address="127.0.0.2", port=hello.port),
        pytest.raises(WebhookForbidden),
    ):
        webhook(f"http://rebind.test:{hello.port}/")
    assert hello.requests == []


def test_of_several_addresses_only_those_are_tried_that_may_be_reached(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "127.0.0.1/32")
    addresses = ["127.0.0.2", "10.255.255.1", "127.0.0.1"]
    monkeypatch.setattr(
        "cyme.tasks.connections.socket.getaddrinfo",
        lambda _, port, **__: [(socket.AF_INET, 1, 6, "", (a, port)) for a in addresses],
    )
    with raw_target(answering(response(b"no")), address="127.0.0.2", port=hello.port) as other:
        assert webhook(f"http://several.test:{hello.port}/")["content"] == "hello"
        assert other.requests == []


def test_the_next_address_is_tried_when_one_does_not_answer(
    hello: RawTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cyme.tasks.connections.socket.getaddrinfo",
        lambda _, port, **__: [
            (socket.AF_INET, 1, 6, "", (a, port)) for a in ("127.0.0.3", "127.0.0.1")
        ],
    )
    assert webhook(f"http://several.test:{hello.port}/")["content"] == "hello"


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=good.test",
         "-addext", "subjectAltName=DNS:good.test", "-keyout", str(path),
         "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawTarget]:
    resolving(monkeypatch, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with raw_target(answering(response(b"secret")), context=context) as target:
        yield target


def test_certificates_are_checked_against_the_name_though_an_address_is_connected_to(
    secure: RawTarget, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    assert webhook(f"https://good.test:{secure.port}/")["content"] == "secret"
    with pytest.raises(WebhookFailed, match="certificate"):
        webhook(f"https://bad.test:{secure.port}/")


def test_a_certificate_of_nobody_is_refused(secure: RawTarget) -> None:
    with pytest.raises(WebhookFailed, match="certificate"):
        webhook(f"https://good.test:{secure.port}/")


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

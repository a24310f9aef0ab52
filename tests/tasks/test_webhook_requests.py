"""What a webhook sends to real servers on this machine."""

from __future__ import annotations

import base64
import json

import pytest

import cyme
from cyme import tasks
from cyme.tasks import WebhookInvalid
from tests.tasks.targets import RawTarget, answering, raw_target, response
from tests.tasks.webhooks import webhook

pytestmark = pytest.mark.usefixtures("loopback_allowed")


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

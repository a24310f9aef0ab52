"""Which servers a webhook reaches: over redirects, behind names, with certificates."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.tasks import WebhookFailed, WebhookForbidden, WebhookInvalid
from tests.certificates import self_signed
from tests.tasks.targets import RawTarget, answering, raw_target, redirect, response
from tests.tasks.webhooks import resolving, webhook

pytestmark = pytest.mark.usefixtures("loopback_allowed")

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
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for good.test, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"), "DNS:good.test")


@pytest.fixture
def secure(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[RawTarget]:
    resolving(monkeypatch, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with raw_target(answering(response(b"secret")), context=context) as target:
        yield target


def test_certificates_are_checked_against_the_name_though_an_address_is_connected_to(
    secure: RawTarget, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert webhook(f"https://good.test:{secure.port}/")["content"] == "secret"
    with pytest.raises(WebhookFailed, match="certificate"):
        webhook(f"https://bad.test:{secure.port}/")


def test_a_certificate_of_nobody_is_refused(secure: RawTarget) -> None:
    with pytest.raises(WebhookFailed, match="certificate"):
        webhook(f"https://good.test:{secure.port}/")

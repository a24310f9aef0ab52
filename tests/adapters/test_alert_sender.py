"""Alerts on their way to real targets."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.adapters.alert_sender import HttpAlertSender, signature
from cyme.core.alert_targets import Attempt, Outcome
from tests.alert_targets import AlertTarget, alert_target
from tests.certificates import self_signed

SECRET = "0123456789abcdef"
BODY = b'{"kind": "branch-failed"}'


@pytest.fixture
def target() -> Iterator[AlertTarget]:
    with alert_target() as target:
        yield target


def sender(url: str, secret: str | None = SECRET, **options: object) -> HttpAlertSender:
    return HttpAlertSender(url, secret=secret and secret.encode(), **options)  # type: ignore[arg-type]


def test_a_target_is_told_in_json_that_it_can_verify(target: AlertTarget) -> None:
    came = sender(f"{target.url}/hook?x=1").send(BODY, delivery="d1")
    assert came == Attempt(Outcome.DELIVERED)
    (sent,) = target.sent
    assert (sent.path, sent.body) == ("/hook?x=1", BODY)
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-cyme-delivery"] == "d1"
    assert sent.headers["user-agent"].startswith("cyme/")
    assert sent.is_signed_with(SECRET)
    assert not sent.is_signed_with("another")
    assert "authorization" not in sent.headers


def test_the_signature_is_the_one_that_is_documented() -> None:
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
    assert signature(SECRET.encode(), 1_700_000_000, b"{}") == (
        "t=1700000000,v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
    )


def test_without_a_secret_nothing_is_signed(target: AlertTarget) -> None:
    sender(target.url, None).send(BODY, delivery="d1")
    (sent,) = target.sent
    assert sent.path == "/"
    assert "x-cyme-signature" not in sent.headers


def test_the_login_of_a_url_is_sent_as_basic_and_not_told(target: AlertTarget) -> None:
    url = target.url.replace("://", "://me:pass%40word@")
    me = sender(f"{url}/secret/path")
    me.send(BODY, delivery="d1")
    login = target.sent[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(login) == b"me:pass@word"
    assert me.name == target.url
    assert sender("https://[::1]/x").name == "https://[::1]"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((200, Outcome.DELIVERED), (202, Outcome.DELIVERED)),
        *((400, Outcome.REFUSED), (404, Outcome.REFUSED), (410, Outcome.REFUSED)),
        *((408, Outcome.FAILED), (429, Outcome.FAILED)),
        *((500, Outcome.FAILED), (503, Outcome.FAILED)),
    ],
)
def test_what_may_be_taken_later_is_told_from_what_never_will(
    target: AlertTarget, status: int, outcome: Outcome
) -> None:
    target.answers = [(status, {})]
    came = sender(target.url).send(BODY, delivery="d1")
    assert came.outcome is outcome
    assert (str(status) in came.reason) is (outcome is not Outcome.DELIVERED)


def test_nobody_is_led_elsewhere(target: AlertTarget) -> None:
    target.answers = [(307, {"Location": f"{target.url}/elsewhere"})]
    came = sender(target.url).send(BODY, delivery="d1")
    assert came.outcome is Outcome.REFUSED
    assert "redirects are not followed" in came.reason
    assert len(target.sent) == 1


def test_a_target_that_is_not_there_or_says_nothing_may_be_there_later() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hush"
        refused = sender(url).send(BODY, delivery="d1")
        silent.listen()
        late = sender(url, timeout_s=0.1).send(BODY, delivery="d1")
    unknown = sender("http://nowhere.invalid/hush").send(BODY, delivery="d1")
    for came in (refused, late, unknown):
        assert came.outcome is Outcome.FAILED
        assert came.reason
        assert "hush" not in came.reason
    assert "refused" in refused.reason


def test_what_answers_in_another_protocol_is_no_target() -> None:
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()
        url = f"http://127.0.0.1:{odd.getsockname()[1]}/"
        import gevent  # noqa: PLC0415 - this process is patched

        def answer() -> None:
            connection, _ = odd.accept()
            connection.sendall(b"SSH-2.0-x\r\n\r\n")
            connection.close()

        answering = gevent.spawn(answer)
        came = sender(url, timeout_s=10.0).send(BODY, delivery="d1")
        answering.join(10.0)
    assert came.outcome is Outcome.FAILED


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")


def test_only_a_target_that_proves_itself_is_told(certificate: tuple[Path, Path]) -> None:
    with alert_target(certificate) as target:
        stranger = sender(target.url)
        for _ in range(2):
            came = stranger.send(BODY, delivery="d1")
            assert came.outcome is Outcome.FAILED
            assert "self-signed certificate" in came.reason
        assert not target.sent
        known = ssl.create_default_context(cafile=certificate[0])
        came = sender(target.url, context=known).send(BODY, delivery="d1")
        assert came.outcome is Outcome.DELIVERED
        assert target.sent[0].is_signed_with(SECRET)

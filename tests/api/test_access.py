from __future__ import annotations

import base64
import logging

import pytest
from falcon import testing

from cyme.api.auth import Authenticator
from cyme.api.browsers import BrowserGuard
from cyme.errors import CymeError, Forbidden, Misdirected, NotAuthenticated
from tests.api.branch import OPERATOR, VIEWER, FakeBranch, FakeTokens


def basic(login: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


# --- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/foo/", "/openapi.json", "/branches/", "/nothing/at/all"])
def test_a_closed_branch_asks_for_a_token(branch: FakeBranch, path: str) -> None:
    reply = branch.closed.simulate_get(path)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.json["type"] == "urn:cyme:problem:not-authenticated"


@pytest.mark.parametrize("path", ["/ping/", "/ping", "/healthz", "/readyz/"])
def test_health_needs_no_token(branch: FakeBranch, path: str) -> None:
    assert branch.closed.simulate_get(path).status_code == 200
    stale = {"Authorization": "Bearer stale"}
    assert branch.closed.simulate_get(path, headers=stale).status_code == 200


@pytest.mark.parametrize(
    "headers", [VIEWER, {"Authorization": "bearer  cyme_v_viewer"}, basic("any:cyme_v_viewer")]
)
def test_takes_a_token_as_bearer_or_as_password(
    branch: FakeBranch, headers: dict[str, str]
) -> None:
    assert branch.closed.simulate_get("/", headers=headers).status_code == 200
    refused = branch.closed.simulate_put("/foo/", headers=headers)
    assert refused.status_code == 403
    assert "role operator" in refused.json["detail"]


@pytest.mark.parametrize(
    "credentials", ["Bearer x", "Bearer", "Basic %%%", "Basic /w==", "Digest a=b", ""]
)
def test_an_unknown_token_is_refused_even_on_an_open_branch(
    branch: FakeBranch, credentials: str
) -> None:
    for client in (branch.client, branch.closed):
        reply = client.simulate_get("/", headers={"Authorization": credentials})
        assert reply.status_code == 401


def test_unknown_tokens_are_counted_and_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [100.0]
    authenticator = Authenticator(FakeTokens(), open_access=False, monotonic=lambda: now[0])
    env = {"HTTP_AUTHORIZATION": "Bearer s3cret", "REMOTE_ADDR": "10.0.0.9"}
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            with pytest.raises(NotAuthenticated):
                authenticator.caller(env)
        assert len(caplog.records) == 1
        now[0] += 11.0
        with pytest.raises(NotAuthenticated):
            authenticator.caller(env)
    assert len(caplog.records) == 2
    assert authenticator.failures == 51
    assert "10.0.0.9" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_open_branch_takes_anybody_for_an_operator(branch: FakeBranch) -> None:
    assert branch.client.simulate_put("/foo/").status_code == 201
    assert branch.client.simulate_put("/foo/?celery_app=proj").status_code == 403


# --- browsers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ([], "localhost"),
        ([], "LOCALHOST:8001"),
        ([], "localhost.:80"),
        ([], "127.0.0.1:8001"),
        ([], "[::1]:8001"),
        (["Cyme.example"], "cyme.example:1"),
        (["10.1.2.3"], "10.1.2.3:8000"),
        (["[fe80::1]"], "[fe80::1]:8000"),
        (["0.0.0.0"], "10.9.8.7:8000"),
        (["::"], "[2001:db8::1]"),
    ],
)
def test_serves_its_own_names(allowed: list[str], host: str) -> None:
    guard = BrowserGuard(allowed)
    for _ in range(2):
        guard.check({"HTTP_HOST": host})


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ([], "evil.example"),
        ([], "localhost.evil.example"),
        ([], "10.9.8.7"),
        ([], ""),
        ([], "127.0.0.1.evil.example:8001"),
        (["0.0.0.0"], "evil.example"),
        ([], "localhost:80@evil.example"),
        ([], "localhost:evil"),
        ([], "[::1]evil"),
        ([], "user@localhost"),
    ],
)
def test_serves_no_other_name(allowed: list[str], host: str) -> None:
    guard = BrowserGuard(allowed)
    for _ in range(2):
        with pytest.raises(Misdirected):
            guard.check({"HTTP_HOST": host})


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"HTTP_ORIGIN": "http://evil.example"}, Forbidden),
        ({"HTTP_ORIGIN": "null"}, Forbidden),
        ({"HTTP_ORIGIN": "http://localhost:9999"}, Forbidden),
        ({"HTTP_ORIGIN": "http://localhost"}, Forbidden),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, Forbidden),
        ({"HTTP_SEC_FETCH_SITE": "Same-Site"}, Forbidden),
        ({"HTTP_SEC_FETCH_SITE": "none, cross-site"}, Forbidden),
        ({"HTTP_REFERER": "http://evil.example/localhost:8000"}, Forbidden),
        ({"HTTP_REFERER": "http://localhost:8000/"}, None),
        ({"HTTP_ORIGIN": "http://localhost:8000"}, None),
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, None),
        ({"HTTP_SEC_FETCH_SITE": "none"}, None),
    ],
)
def test_another_site_can_do_nothing(headers: dict[str, str], error: type[CymeError]) -> None:
    guard = BrowserGuard([])
    env = {"HTTP_HOST": "localhost:8000", **headers}
    if error is None:
        guard.check(env)
    else:
        with pytest.raises(error):
            guard.check(env)


def test_an_origin_without_a_host_is_foreign() -> None:
    with pytest.raises(Forbidden):
        BrowserGuard([]).check({"HTTP_ORIGIN": "null"})
    BrowserGuard([]).check({})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/ping/", "/foo/queue/q/http://m/", "/nothing/here/"])
def test_reads_health_and_queueing_are_protected_too(
    branch: FakeBranch, path: str, headers: dict[str, str], status: int
) -> None:
    reply = branch.client.simulate_get(path, headers=headers)
    assert reply.status_code == status
    assert branch.tasks.sent == []


def test_replies_carry_security_headers_and_no_cors(client: testing.TestClient) -> None:
    for reply in (client.simulate_get("/"), client.simulate_get("/none/")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert reply.headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control-") for name in reply.headers)


def test_the_guard_remembers_a_bounded_number_of_hosts() -> None:
    guard = BrowserGuard([])
    for port in range(2000):
        guard.check({"HTTP_HOST": f"localhost:{port}"})
    assert len(guard._good) <= 256


def test_roles_are_checked_before_parameters(branch: FakeBranch) -> None:
    assert branch.closed.simulate_put("/foo/?nonsense=1", headers=VIEWER).status_code == 403
    assert branch.closed.simulate_put("/foo/?nonsense=1", headers=OPERATOR).status_code == 400

"""The sessions of those who log in to the page."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import gevent
import pytest
from falcon import testing

from cyme.api.app import create_app
from cyme.api.parameters import PUBLIC_BODY_BYTES_MAX
from cyme.api.sessions import (
    IDLE_S_MAX,
    LIFE_S_MAX,
    SESSIONS_MAX,
    SESSIONS_PER_TOKEN_MAX,
    Sessions,
    is_secure,
)
from cyme.core.access import Caller
from tests.api.branch import TOKENS, FakeBranch, client_of
from tests.waiting import eventually

ADMIN_TOKEN = "cyme_a_admin"
OPERATOR_TOKEN = "cyme_o_operator"
FROM_PAGE = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}


class ChangingTokens:
    """Tokens that can be revoked."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = dict(TOKENS)

    def authenticate(self, token: str) -> Caller | None:
        return self.callers.get(token)

    def revoke(self, token: str) -> None:
        del self.callers[token]


@pytest.fixture
def tokens() -> ChangingTokens:
    return ChangingTokens()


@pytest.fixture
def closed(branch: FakeBranch, tokens: ChangingTokens) -> testing.TestClient:
    """A client of the branch while it asks for tokens that may be revoked."""
    return client_of(create_app(branch.service, tokens=tokens, open_access=False))


def log_in(
    client: testing.TestClient, token: str = OPERATOR_TOKEN, **headers: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """Log in; return the header that shows the cookie, and what the branch told."""
    reply = client.simulate_post(
        "/admin/session/", json={"token": token}, headers=FROM_PAGE | headers
    )
    assert reply.status_code == 200, reply.text
    (cookie,) = SimpleCookie(reply.headers["set-cookie"]).values()
    return {"Cookie": f"{cookie.key}={cookie.value}"}, reply.json


def with_csrf(cookie: Mapping[str, str], told: Mapping[str, Any]) -> dict[str, str]:
    return {**cookie, "X-CSRF-Token": told["csrf"]}


# --- who is there --------------------------------------------------------------------------------


def test_an_open_branch_needs_no_login(branch: FakeBranch) -> None:
    told = branch.client.simulate_get("/admin/session/").json
    assert told == {
        "name": "local",
        "role": "operator",
        "csrf": "",
        "open": True,
        "branch": "branch1",
        "cluster": told["cluster"],
        "version": told["version"],
    }
    assert branch.client.simulate_put("/foo/", headers=FROM_PAGE).status_code == 201


def test_a_closed_branch_wants_a_login_and_browsers_open_no_prompt(
    closed: testing.TestClient,
) -> None:
    for headers in (
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
        {"X-CSRF-Token": ""},
        {"Accept": "text/event-stream"},
    ):
        for path in ("/admin/session/", "/", "/events/"):
            reply = closed.simulate_get(path, headers=headers)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == 'Bearer realm="cyme"'
    program = closed.simulate_get("/")
    assert "Basic" in program.headers["www-authenticate"]


def test_a_program_still_uses_basic(closed: testing.TestClient) -> None:
    login = base64.b64encode(f"any:{OPERATOR_TOKEN}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    assert closed.simulate_put("/foo/", headers=headers).status_code == 201


def test_a_token_opens_a_session_that_reads_and_writes(
    branch: FakeBranch, closed: testing.TestClient
) -> None:
    cookie, told = log_in(closed)
    assert (told["name"], told["role"], told["open"]) == ("otto", "operator", False)
    assert closed.simulate_get("/", headers=cookie).status_code == 200
    again = closed.simulate_get("/admin/session/", headers=cookie).json
    assert again == told, "a page that is loaded again gets the same second secret"
    made = closed.simulate_put("/foo/", headers=FROM_PAGE | with_csrf(cookie, told))
    assert made.status_code == 201
    kinds = [event.kind for event in branch.service._journal.recent(10)]
    assert kinds == ["session.began", "app.created"]
    began = branch.service._journal.recent(10)[0]
    assert began.data["by"] == "otto"
    assert OPERATOR_TOKEN not in str(began)


def test_the_role_of_a_session_is_that_of_its_token(closed: testing.TestClient) -> None:
    cookie, told = log_in(closed, "cyme_v_viewer")
    assert closed.simulate_put("/foo/", headers=with_csrf(cookie, told)).status_code == 403


def test_the_cookie_is_kept_from_scripts_and_other_sites(closed: testing.TestClient) -> None:
    def cookie_of(**headers: str) -> str:
        reply = closed.simulate_post(
            "/admin/session/", json={"token": OPERATOR_TOKEN}, headers=headers
        )
        return reply.headers["set-cookie"]

    plain = cookie_of()
    assert plain.startswith("cyme-branch1=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Domain" not in plain
    behind_proxy = cookie_of(Origin="https://localhost:8000")
    assert behind_proxy.startswith("__Host-cyme-branch1=")
    assert behind_proxy.endswith("; Secure")
    assert is_secure({"wsgi.url_scheme": "https"})


def test_the_header_wins_over_the_cookie(closed: testing.TestClient) -> None:
    cookie, _ = log_in(closed, ADMIN_TOKEN)
    as_viewer = cookie | {"Authorization": "Bearer cyme_v_viewer"}
    assert closed.simulate_put("/foo/", headers=as_viewer).status_code == 403
    stale = cookie | {"Authorization": "Bearer stale"}
    assert closed.simulate_get("/", headers=stale).status_code == 401
    as_operator = cookie | {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    made = closed.simulate_put("/foo/", headers=as_operator)
    assert made.status_code == 201, "a token needs no second secret"


def test_on_an_open_branch_a_login_lends_the_role_of_its_token(branch: FakeBranch) -> None:
    path = "/foo/?celery_app=proj"
    assert branch.client.simulate_put(path).status_code == 403
    cookie, told = log_in(branch.client, ADMIN_TOKEN)
    assert told["open"]
    assert branch.client.simulate_put(path, headers=with_csrf(cookie, told)).status_code == 201
    stale = {"Cookie": "cyme-branch1=stale"}
    assert branch.client.simulate_get("/admin/session/", headers=stale).json["name"] == "local"


# --- the second secret ---------------------------------------------------------------------------


@pytest.mark.parametrize("csrf", [None, "", "wrong", "é"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/foo/"),
        ("POST", "/foo/"),
        ("DELETE", "/foo/"),
        ("DELETE", "/admin/session/"),
        ("GET", "/foo/queue/q/http://internal.example/"),
        ("HEAD", "/foo/queue/q/http://internal.example/"),
    ],
)
def test_what_changes_something_by_cookie_needs_the_second_secret(
    branch: FakeBranch, closed: testing.TestClient, method: str, path: str, csrf: str | None
) -> None:
    cookie, told = log_in(closed)
    headers = dict(cookie) if csrf is None else {**cookie, "X-CSRF-Token": csrf}
    reply = closed.simulate_request(method, path, headers=headers)
    assert reply.status_code == 403
    assert branch.tasks.sent == []
    good = closed.simulate_request(method, path, headers=with_csrf(cookie, told))
    assert good.status_code != 403


def test_the_second_secret_of_another_session_does_not_do(closed: testing.TestClient) -> None:
    cookie, _ = log_in(closed)
    _, other = log_in(closed)
    assert closed.simulate_put("/foo/", headers=with_csrf(cookie, other)).status_code == 403


# --- the end of a session ------------------------------------------------------------------------


def test_logging_out_ends_the_session(branch: FakeBranch, closed: testing.TestClient) -> None:
    cookie, told = log_in(closed)
    reply = closed.simulate_delete("/admin/session/", headers=with_csrf(cookie, told))
    assert reply.status_code == 200
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert closed.simulate_get("/", headers=cookie).status_code == 401
    assert branch.service._journal.recent(1)[0].kind == "session.ended"
    assert closed.simulate_delete("/admin/session/", headers=cookie).status_code == 200


def test_who_logs_in_and_out_all_the_time_pushes_nothing_out_of_the_journal(
    branch: FakeBranch, closed: testing.TestClient
) -> None:
    for _ in range(100):
        cookie, told = log_in(closed, "cyme_v_viewer")
        closed.simulate_delete("/admin/session/", headers=with_csrf(cookie, told))
    assert len(branch.service._journal.recent(1000)) == 20
    log_in(closed)
    assert branch.service._journal.recent(1)[0].data["by"] == "otto"


def test_a_revoked_token_ends_its_sessions(
    closed: testing.TestClient, tokens: ChangingTokens
) -> None:
    cookie, _ = log_in(closed)
    kept, _ = log_in(closed, ADMIN_TOKEN)
    tokens.revoke(OPERATOR_TOKEN)
    assert closed.simulate_get("/", headers=cookie).status_code == 401
    assert closed.simulate_get("/admin/session/", headers=cookie).status_code == 401
    assert closed.simulate_get("/", headers=kept).status_code == 200


def test_a_new_login_replaces_the_session_of_the_browser(closed: testing.TestClient) -> None:
    cookie, _ = log_in(closed)
    log_in(closed, ADMIN_TOKEN, **cookie)
    assert closed.simulate_get("/", headers=cookie).status_code == 401


@pytest.mark.parametrize(("limit_s", "step_s"), [(IDLE_S_MAX, None), (LIFE_S_MAX, IDLE_S_MAX - 1)])
def test_a_session_ends_by_itself(limit_s: float, step_s: float | None) -> None:
    now = [0.0]
    sessions = Sessions(ChangingTokens(), "b", monotonic=lambda: now[0])
    _, header = sessions.begin(OPERATOR_TOKEN, secure=False)
    env = {"HTTP_COOKIE": f"other=1; {header.split(';')[0]}"}
    if step_s is not None:
        while now[0] + step_s < limit_s:
            now[0] += step_s
            assert sessions.find(env), "it is in use"
    now[0] = limit_s if step_s is None else now[0]
    assert sessions.find(env)
    now[0] += limit_s + 1 if step_s is None else limit_s - now[0] + 1
    assert sessions.find(env) is None
    assert len(sessions) == 0


def test_nothing_is_kept_of_a_session_whose_token_is_revoked() -> None:
    tokens = ChangingTokens()
    sessions = Sessions(tokens, "b")
    _, header = sessions.begin(OPERATOR_TOKEN, secure=False)
    env = {"HTTP_COOKIE": header.split(";")[0]}
    assert sessions.find(env)
    tokens.revoke(OPERATOR_TOKEN)
    assert sessions.find(env) is None
    assert len(sessions) == 0


def test_the_table_of_sessions_is_bounded_and_nobody_fills_it_for_others() -> None:
    sessions = Sessions(ChangingTokens(), "b")
    _, first = sessions.begin(ADMIN_TOKEN, secure=False)
    for _ in range(SESSIONS_PER_TOKEN_MAX * 3):
        sessions.begin(OPERATOR_TOKEN, secure=False)
    assert len(sessions) == SESSIONS_PER_TOKEN_MAX + 1
    assert sessions.find({"HTTP_COOKIE": first.split(";")[0]}), "another's sessions stand"
    for number in range(SESSIONS_MAX * 2):
        sessions.begin(f"token {number}", secure=False)
    assert len(sessions) == SESSIONS_MAX


def test_cookies_of_others_and_nonsense_are_no_session() -> None:
    sessions = Sessions(ChangingTokens(), "b1")
    _, header = sessions.begin(OPERATOR_TOKEN, secure=False)
    value = header.split(";")[0].partition("=")[2]
    for cookie in (f"cyme-b2={value}", "cyme-b1", "cyme-b1=", "cyme-b1=é", "cyme-b1=" + "x" * 9000):
        assert sessions.find({"HTTP_COOKIE": cookie}) is None
    assert sessions.find({"HTTP_COOKIE": f"a=b; cyme-b1=stale; __Host-cyme-b1={value}"})
    assert not sessions.find({"HTTP_COOKIE": f"cyme-b1={value}; __Host-cyme-b1=stale"})
    plain = {"HTTP_COOKIE": f"cyme-b1={value}"}
    assert sessions.find(plain)
    assert not sessions.find({**plain, "wsgi.url_scheme": "https"})


# --- failed logins -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["unknown", "", "x" * 3000, "é"])
def test_an_unknown_token_is_refused_after_a_while(closed: testing.TestClient, token: str) -> None:
    begun = time.monotonic()
    reply = closed.simulate_post("/admin/session/", json={"token": token}, headers=FROM_PAGE)
    assert reply.status_code in {400, 401}
    assert "set-cookie" not in reply.headers
    if reply.status_code == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert time.monotonic() - begun > 0.2


def test_a_login_is_told_what_it_lacks(closed: testing.TestClient) -> None:
    refused = closed.simulate_post("/admin/session/", json={})
    assert refused.status_code == 400
    assert refused.json["detail"] == "token: is missing; it must be a token of this branch"


def test_who_shows_no_token_fills_no_memory(closed: testing.TestClient) -> None:
    read: list[int] = []

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            read.append(size or 0)
            return super().read(size)

    for length in (PUBLIC_BODY_BYTES_MAX + 1, 1024 * 1024):
        env = {"wsgi.input": Body(b" " * length), "CONTENT_LENGTH": str(length)}
        reply = closed.simulate_post("/admin/session/", extras=env)
        assert reply.status_code == 413
    assert read == []


def test_failed_logins_delay_themselves_and_lock_nobody_out(
    branch: FakeBranch, closed: testing.TestClient
) -> None:
    def fail() -> int:
        reply = closed.simulate_post("/admin/session/", json={"token": "unknown"})
        return reply.status_code

    failing = [gevent.spawn(fail) for _ in range(12)]
    # So many are under way that the others are told to wait.
    eventually(lambda: [each.value for each in failing].count(429) == 7)
    log_in(closed)
    gevent.killall(failing)
    journal = [event.kind for event in branch.service._journal.recent(100)]
    assert journal == ["session.began"], "who guesses pushes nothing out of the journal"


def test_a_token_in_the_url_is_not_taken(closed: testing.TestClient) -> None:
    reply = closed.simulate_post(f"/admin/session/?token={OPERATOR_TOKEN}")
    assert reply.status_code == 400
    assert "set-cookie" not in reply.headers


def test_the_sessions_are_described(branch: FakeBranch) -> None:
    described = branch.client.simulate_get("/openapi.json").json["paths"]["/admin/session/"]
    assert set(described) == {"get", "post", "delete"}

"""The log of a worker over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from falcon import testing

from cyme.api.server import HttpServer
from cyme.core.access import Caller, Role
from cyme.runtime.service import logs
from tests.api.branch import TOKENS, VIEWER, FakeBranch
from tests.api.wire import RawClient
from tests.waiting import eventually

LOG = "/foo/instances/w1/log/"
END = b"0\r\n\r\n"


@pytest.fixture(autouse=True)
def _instance(branch: FakeBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAIT_S", 0.1)
    monkeypatch.setattr(logs, "LOOK_PERIOD_S", 0.01)
    branch.client.simulate_put("/foo/")
    assert branch.client.simulate_put("/foo/instances/w1/").status_code == 201


@pytest.fixture
def follower(server: HttpServer) -> Iterator[RawClient]:
    with RawClient(server.address) as client:
        yield client


def follow(client: RawClient, query: str = "", *fields: str) -> str:
    """Begin to follow the log, and return the head of the answer."""
    head = "\r\n".join([f"GET {LOG}?follow=1{query} HTTP/1.1", "Host: localhost", *fields, "", ""])
    client.send(head.encode())
    return client.read_until(b"\r\n\r\n").decode().lower()


@pytest.mark.parametrize(
    "path",
    [
        *(LOG, "/foo/instances/w1/log", "/foo/instance/w1/log/"),
        "/instances/w1/log/",
    ],
)
def test_the_log_is_text_under_every_spelling(branch: FakeBranch, path: str) -> None:
    assert branch.client.simulate_get(path).text == ""
    branch.logs.write("w1", "1 a", "2 b \N{BLACK HEART SUIT}")
    answer = branch.client.simulate_get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text == "1 a\n2 b \N{BLACK HEART SUIT}\n"


def test_as_many_lines_are_shown_as_asked_for(branch: FakeBranch) -> None:
    branch.logs.write("w1", *(f"{n} x" for n in range(300)))
    client = branch.client
    assert len(client.simulate_get(LOG).text.splitlines()) == 100
    assert client.simulate_get(LOG, params={"lines": 2}).text == "298 x\n299 x\n"
    assert client.simulate_get(LOG, params={"lines": 0}).text == ""
    for wrong in ("-1", "10001", "many"):
        assert client.simulate_get(LOG, params={"lines": wrong}).status_code == 400


def test_lines_are_shown_since_a_moment_or_since_so_many_seconds_ago(branch: FakeBranch) -> None:
    now = branch.clock.wall()
    branch.logs.write("w1", *(f"{now - n} {n} s ago" for n in range(200, -1, -1)))
    client = branch.client
    assert client.simulate_get(LOG, params={"since": 1.5}).text.splitlines() == [
        f"{now - 1} 1 s ago",
        f"{now} 0 s ago",
    ]
    assert len(client.simulate_get(LOG, params={"since": 150}).text.splitlines()) == 151
    moment = datetime.fromtimestamp(now - 2, UTC).isoformat()
    assert len(client.simulate_get(LOG, params={"since": moment}).text.splitlines()) == 3
    limited = {"since": moment, "lines": 1}
    assert client.simulate_get(LOG, params=limited).text == f"{now} 0 s ago\n"
    assert client.simulate_get(LOG, params={"since": "yesterday"}).status_code == 400


def test_a_viewer_may_read_it_and_nobody_without_a_token(branch: FakeBranch) -> None:
    assert branch.closed.simulate_get(LOG, headers=VIEWER).status_code == 200
    assert branch.closed.simulate_get(LOG).status_code == 401


def test_what_cannot_be_read_is_a_problem_and_no_text(branch: FakeBranch) -> None:
    client = branch.client
    assert client.simulate_get("/foo/instances/w2/log/").status_code == 404
    assert client.simulate_head("/foo/instances/w2/log/").status_code == 404
    assert client.simulate_head(LOG).status_code == 200
    branch.give_away("w1")
    answer = client.simulate_get(LOG, params={"follow": 1})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_lines_come_as_they_are_written(branch: FakeBranch, follower: RawClient) -> None:
    branch.logs.write("w1", "1 a", "2 b")
    head = follow(follower, "&lines=1")
    assert "transfer-encoding: chunked" in head
    assert follower.read_until(b"\r\n") == b"4"
    assert follower.read_until(b"\r\n") == b"2 b\n"
    branch.logs.write("w1", "3 c")
    assert follower.read_until(b"c\n\r\n") == b"4\r\n3 "


def test_the_head_comes_before_the_first_line(branch: FakeBranch, follower: RawClient) -> None:
    assert "200 ok" in follow(follower)
    branch.logs.write("w1", "1 a")
    assert follower.read_until(b"a\n") == b"4\r\n1 "


def test_it_ends_when_the_client_goes_away(branch: FakeBranch, server: HttpServer) -> None:
    with RawClient(server.address) as client:
        follow(client)
        assert branch.service._followers == 1
    eventually(lambda: not branch.service._followers)


def test_it_ends_when_the_branch_stops(server: HttpServer, follower: RawClient) -> None:
    follow(follower)
    server.stop(5.0)
    assert follower.read_until(END) == b""


def test_it_ends_when_the_token_is_revoked(
    branch: FakeBranch, follower: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOKENS, "cyme_v_other", Caller(Role.VIEWER, "oscar"))
    follow(follower, "", "Authorization: Bearer cyme_v_other")
    monkeypatch.delitem(TOKENS, "cyme_v_other")
    assert follower.read_until(END) == b""
    eventually(lambda: not branch.service._followers)


def test_a_client_of_http_1_0_gets_it_too(branch: FakeBranch, follower: RawClient) -> None:
    branch.logs.write("w1", "1 a")
    follower.send(f"GET {LOG} HTTP/1.0\r\n\r\n".encode())
    follower.read_until(b"\r\n\r\n")
    assert follower.read_until(b"\n") == b"1 a"


def test_the_description_says_that_it_is_text(client: testing.TestClient) -> None:
    paths = client.simulate_get("/openapi.json").json["paths"]
    answers = paths["/{app}/instances/{name}/log/"]["get"]["responses"]
    assert list(answers["200"]["content"]) == ["text/plain; charset=utf-8"]

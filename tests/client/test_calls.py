from __future__ import annotations

import time

import pytest

from cyme.client import (
    BadReply,
    Client,
    ClientError,
    Conflict,
    ConnectionFailed,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSupported,
    PreconditionFailed,
    ServerFailed,
    TaskPending,
    Timeout,
    TooLarge,
    Unavailable,
)
from tests.client.server import closes, problem, says, sends, serving


@pytest.mark.parametrize("first", [closes, problem(503, Retry_After="0")])
def test_tries_a_read_again(first: object) -> None:
    with serving(first, first, says(["a"])) as server:  # type: ignore[arg-type]
        assert Client(server.url).all() == ["a"]
        assert server.targets() == ["GET /"] * 3


def test_gives_up_after_so_many_retries() -> None:
    with serving(problem(503, Retry_After="0")) as server:
        with pytest.raises(Unavailable) as caught:
            Client(server.url, retries=2).all()
        assert len(server.asked) == 3
        assert caught.value.retry_after_s == 0


def test_does_not_wait_for_a_branch_beyond_the_deadline() -> None:
    with serving(problem(503, Retry_After="60")) as server:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            Client(server.url, timeout_s=5).all()
        assert time.monotonic() - begun < 5
        assert len(server.asked) == 1


def test_does_not_repeat_what_is_unavailable_for_good() -> None:
    with serving(problem(503)) as server:
        with pytest.raises(Unavailable) as caught:
            Client(server.url).all()
        assert (len(server.asked), caught.value.retry_after_s) == (1, None)


@pytest.mark.parametrize("first", [closes, problem(503, Retry_After="0")])
def test_does_not_repeat_what_has_an_effect_each_time(first: object) -> None:
    with serving(first, says({"ok": "ok"})) as server:  # type: ignore[arg-type]
        with pytest.raises((ConnectionFailed, Unavailable)):
            Client(server.url).apps.of("foo").instances.of("w1").restart()
        assert server.targets() == ["POST /foo/instances/w1/restart/"]


def test_does_not_repeat_a_conditional_write_that_may_have_been_done() -> None:
    with serving(closes, says({"name": "foo"})) as server:
        with pytest.raises(ConnectionFailed):
            Client(server.url).add("foo", must_be_new=True)
        assert len(server.asked) == 1


def test_an_unnamed_instance_is_created_once_however_often_it_is_tried() -> None:
    made = says({"name": "x", "app": "foo"}, 201)
    with serving(closes, made) as server:
        instances = Client(server.url).apps.of("foo").instances
        assert instances.add().name == "x"
        first, second = (each.headers["idempotency-key"] for each in server.asked)
        assert first == second
        instances.add()
        assert server.asked[2].headers["idempotency-key"] != first
        instances.add("named")
        assert "idempotency-key" not in server.asked[3].headers


def test_a_deletion_whose_answer_was_lost_has_succeeded() -> None:
    with serving(closes, problem(404)) as server:
        Client(server.url).delete("foo")
        assert server.targets() == ["DELETE /foo/"] * 2
    with serving(problem(404)) as server, pytest.raises(NotFound):
        Client(server.url).delete("foo")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest), (403, Forbidden), (404, NotFound), (405, NotSupported),
        (409, Conflict), (412, PreconditionFailed), (413, TooLarge), (418, ClientError),
        (431, TooLarge), (500, ServerFailed), (501, NotSupported), (504, Timeout),
        (507, Unavailable), (599, ServerFailed),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error_of_its_own_kind(status: int, kind: type[ClientError]) -> None:
    with serving(problem(status, "Do this.")) as server:
        with pytest.raises(kind, match="Do this") as caught:
            Client(server.url, retries=0).get("foo")
        error = caught.value
        assert type(error) is kind
        assert (error.status, error.title, error.detail) == (status, "Problem", "Do this.")
        assert (error.request, error.url) == ("GET /foo/", server.url)


def test_names_every_parameter_that_was_refused() -> None:
    said = {"detail": "x", "errors": [{"parameter": "pool", "detail": "must be one"}, "odd"]}
    with serving(says(said, 400)) as server, pytest.raises(InvalidRequest) as caught:
        Client(server.url).add("foo", pool="x")
    (fault,) = caught.value.faults
    assert (fault.parameter, fault.detail) == ("pool", "must be one")


def test_what_is_not_there_is_a_key_error_with_words() -> None:
    with serving(problem(404, "There is no app named 'foo'.")) as server:
        client = Client(server.url)
        with pytest.raises(KeyError) as caught:
            client["foo"]
        assert str(caught.value) == "There is no app named 'foo'."
        assert "s3cret" not in repr(caught.value)


def test_an_error_without_a_problem_document_says_what_there_is_to_say() -> None:
    page = b"HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
    with serving(sends(page)) as server, pytest.raises(ClientError, match="GET / with 502"):
        Client(server.url).all()


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a"', b'{"a": 1}', b'"text"', b"[" * 100_000])
def test_an_answer_that_is_none_is_told_as_that(body: bytes) -> None:
    said = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with serving(sends(said)) as server, pytest.raises(BadReply, match="branch"):
        Client(server.url).all()


def test_waits_for_a_task_in_several_requests() -> None:
    pending = says({"detail": "x", "uuid": "u1", "state": "STARTED"}, 504)
    done = says({"uuid": "u1", "state": "SUCCESS", "result": {"content": "hi"}})
    with serving(pending, done) as server:
        result = Client(server.url).apps.of("foo").task("u1").wait(None)
        assert (result.state, result.content) == ("SUCCESS", b"hi")
        assert server.targets() == ["GET /foo/query/u1/wait/?timeout=60"] * 2
    with serving(pending) as server:
        with pytest.raises(TaskPending) as caught:
            Client(server.url).apps.of("foo").task("u1").wait(0.25)
        assert (caught.value.state, len(server.asked)) == ("STARTED", 1)
        assert server.targets() == ["GET /foo/query/u1/wait/?timeout=0.25"]


def test_queues_a_url_byte_for_byte_with_options_in_headers() -> None:
    queued = says({"uuid": "u1", "url": "x", "queue": "q", "method": "POST"}, 202, X_Cyme_Task="u1")
    with serving(queued) as server:
        app = Client(server.url).apps.of("foo")
        url = "http://host/a%2Fb?c=d&e=%20f;g#fragment"
        task = app.queue_url("q", url, method="POST", body="x", priority=3, countdown_s=1.5)
        assert task.uuid == "u1"
        asked = server.asked[0]
        assert asked.target == "/foo/queue/q/http://host/a%2Fb?c=d&e=%20f;g"
        assert (asked.method, asked.body) == ("POST", b"x")
        assert asked.headers["x-cyme-priority"] == "3"
        assert asked.headers["x-cyme-countdown"] == "1.5"
        assert "x-cyme-eta" not in asked.headers
        head = app.queue_url("q", "http://host/é", method="HEAD")
        assert (head.uuid, server.asked[1].target) == ("u1", "/foo/queue/q/http://host/%C3%A9")


def test_lists_in_one_request_and_one_by_one_where_a_branch_cannot() -> None:
    with serving(says([{"name": "a", "pool": "solo"}, {"name": "b"}])) as server:
        assert [app.name for app in Client(server.url).apps.all()] == ["a", "b"]
        assert server.targets() == ["GET /?details=1"]
    old = [problem(400), says(["a", "b"]), says({"name": "a", "pool": "solo"}), problem(404)]
    with serving(*old) as server:
        (app,) = Client(server.url).apps.all()
        assert (app.name, app.pool) == ("a", "solo")
        assert server.targets() == ["GET /?details=1", "GET /", "GET /a/", "GET /b/"]


def test_names_go_into_the_path_as_they_are() -> None:
    with serving(problem(404)) as server:
        client = Client(server.url)
        with pytest.raises(NotFound):
            client.get("a/b ?é")
        assert server.targets() == ["GET /a%2Fb%20%3F%C3%A9/"]

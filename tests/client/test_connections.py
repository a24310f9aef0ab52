from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cyme.api.server import HttpServer
from cyme.client import (
    BadReply,
    Client,
    ConnectionFailed,
    NotAuthenticated,
    NotFound,
    Timeout,
    connections,
)
from cyme.client.tasks import queue_url
from tests.api.branch import FakeBranch
from tests.certificates import self_signed
from tests.client.server import closes, head, problem, says, sends, serving, trickles, waits
from tests.system.branches import free_port


def test_keeps_a_connection_for_the_next_request() -> None:
    with serving(says(["a"])) as server, Client(server.url) as client:
        assert client.all() == ["a"]
        assert client.all() == ["a"]
        assert server.connections == 1


def test_a_read_moves_on_from_a_branch_that_stands_still(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as still, serving(says(["a"])) as server:
        url = f"http://127.0.0.1:{still.getsockname()[1]}"
        with Client(url, urls=[server.url], timeout_s=20) as client:
            assert client.all() == ["a"]
            assert client.url == server.url
        assert f"{url} said nothing for 0.2 s; the next branch is asked" in caplog.messages
        with Client(url, urls=[server.url], timeout_s=0.5) as client:
            with pytest.raises(Timeout, match="may still do what was asked"):
                client.add("shop")
            with pytest.raises(Timeout):
                client.calls.ask("GET", "/", timeout_s=0.4)
        with Client(url, timeout_s=0.5) as client, pytest.raises(Timeout, match="stands still"):
            client.all()
        assert len(server.asked) == 1


def test_threads_use_connections_of_their_own() -> None:
    with serving(says(["a"])) as server, Client(server.url) as client:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.all(), range(64)))
        assert answers == [["a"]] * 64
        assert 1 <= server.connections <= 64
        before = server.connections
        client.all()
        assert server.connections == before


def test_opens_a_new_connection_where_the_kept_one_was_closed() -> None:
    farewell = head(200, {"Content-Type": "application/json", "Content-Length": "2"}) + b"[]"
    with serving(sends(farewell)) as server, Client(server.url, retries=0) as client:
        for _ in range(3):
            assert client.all() == []
        assert server.connections == 3


def test_asks_the_next_branch_where_one_cannot_be_reached_and_remembers_it() -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with serving(says(["a"])) as server:
        client = Client(dead, urls=[server.url], retries=0)
        assert client.url == dead
        assert client.all() == ["a"]
        assert client.url == server.url
        assert client.all() == ["a"]
        assert len(server.asked) == 2


def test_fails_over_a_write_that_no_branch_has_received() -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with serving(says({"ok": "ok"})) as server:
        client = Client(dead, urls=[server.url], retries=0)
        client.ask("POST", "/foo/instances/w1/restart/")
        assert server.targets() == ["POST /foo/instances/w1/restart/"]


def test_fails_over_nothing_that_a_branch_may_have_done() -> None:
    with serving(closes) as first, serving(says({"ok": "ok"})) as second:
        client = Client(first.url, urls=[second.url])
        with pytest.raises(ConnectionFailed) as caught:
            client.ask("POST", "/foo/instances/w1/restart/")
        assert caught.value.was_sent
        assert (len(first.asked), len(second.asked)) == (1, 0)


def test_an_answer_is_an_answer_whatever_it_says() -> None:
    with serving(problem(404)) as first, serving(says(["a"])) as second:
        client = Client(first.url, urls=[second.url])
        with pytest.raises(NotFound):
            client.all()
        assert not second.asked


def test_shows_each_branch_its_own_token() -> None:
    with serving(closes) as first, serving(says([])) as second:
        tokens = {first.url: "one", f"{second.url}/": "two"}
        Client(first.url, urls=[second.url], token=tokens).all()
        assert first.asked[0].headers["authorization"] == "Bearer one"
        assert second.asked[0].headers["authorization"] == "Bearer two"


def test_asks_under_the_path_of_the_url() -> None:
    with serving(says([])) as server:
        Client(f"{server.url}/cyme/").all()
        assert server.targets() == ["GET /cyme/"]
        assert "authorization" not in server.asked[0].headers


def test_a_refused_connection_says_what_to_look_at() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionFailed, match=f"{url} cannot be reached.*running") as caught:
        Client(url, retries=0).all()
    assert isinstance(caught.value, ConnectionError)
    assert not caught.value.was_sent


@pytest.mark.parametrize(
    "part", [b"", b"HTTP/1.1 200 Said\r\nContent-Length: 100\r\n\r\n" + b"x" * 40]
)
def test_the_deadline_holds_however_slowly_bytes_come(part: bytes) -> None:
    done = threading.Event()
    with serving(trickles(done, part, 0.05) if part else waits(done)) as server:
        begun = time.monotonic()
        with pytest.raises(Timeout, match=r"within 0.4 s") as caught:
            Client(server.url, timeout_s=0.4).all()
        assert 0.3 < time.monotonic() - begun < 10
        assert isinstance(caught.value, TimeoutError)
        done.set()


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ],
)
def test_what_is_no_answer_of_a_branch_is_told_as_that(said: bytes) -> None:
    with serving(sends(said)) as server, pytest.raises((BadReply, ConnectionFailed)) as caught:
        Client(server.url, retries=0).all()
    assert isinstance(caught.value, BadReply) or b"zz" in said


def test_a_body_that_is_cut_short_is_a_broken_connection() -> None:
    cut = head(200, {"Content-Type": "application/json", "Content-Length": "100"}) + b'["a"'
    with serving(sends(cut), says(["a"])) as server:
        with pytest.raises(ConnectionFailed, match="cut short"):
            Client(server.url, retries=0).all()
        assert Client(server.url).all() == ["a"]


def test_follows_no_redirect_and_tells_no_token() -> None:
    moved = head(301, {"Location": "http://127.0.0.1:1/", "Content-Length": "0"})
    with serving(sends(moved)) as server:
        client = Client(server.url, token="s3cret")
        with pytest.raises(Exception, match="301") as caught:
            client.all()
        assert "s3cret" not in f"{caught.value!r} {client!r} {vars(caught.value)}"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/",
        "http://",
        "http://host:port/",
        "http://h/?a=1",
        "http://h/#x",
        "http://[h",
    ],
)
def test_refuses_a_url_that_is_none_of_a_branch(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Client(url)


def test_a_url_with_a_password_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match="token=") as caught:
        Client("http://me:s3cret@host/")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="URL") as caught:
        Client("gopher://me:s3cret@host/")
    assert "s3cret" not in str(caught.value)


def test_a_token_with_a_line_end_is_refused() -> None:
    with pytest.raises(ValueError, match="token"):
        Client(token="a\r\nX-Evil: 1")


def test_takes_the_environment_only_when_asked_to() -> None:
    with serving(says([])) as server:
        environment = {
            "CYME_URL": f"http://127.0.0.1:{free_port()}, {server.url}",
            "CYME_TOKEN": "t",
        }
        client = Client.from_environment(environment, retries=0)
        assert client.all() == []
        assert server.asked[0].headers["authorization"] == "Bearer t"
    assert Client.from_environment({}).url == "http://127.0.0.1:8000"


def test_an_error_tells_nothing_of_a_url_that_was_queued() -> None:
    url = "http://me:hush@host/hush?token=hush"
    with serving(closes) as server, Client(server.url, retries=0) as client:
        with pytest.raises(ConnectionFailed) as caught:
            queue_url(client.calls, "shop", "mails", url)
        assert caught.value.request == "GET /shop/queue/mails/..."
        assert "hush" not in f"{caught.value}"
        with pytest.raises(ConnectionFailed, match="GET /queue/queues/queue/:"):
            client.ask("GET", "/queue/queues/queue/")


def test_leaves_no_socket_behind() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with serving(says(["a"]), problem(401), says([])) as server:
            port, client = server.port, Client(server.url)
            client.all()
            with pytest.raises(NotAuthenticated):
                client.all()
            client.close()
            del client
            gc.collect()
    ours = f"raddr=('127.0.0.1', {port})"
    assert not [str(each.message) for each in caught if ours in str(each.message)]


def test_speaks_tls_with_whom_it_trusts(branch: FakeBranch, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    server = HttpServer(branch.app, ("127.0.0.1", 0), certificate=certificate, key=key)
    server.start()
    url = f"https://localhost:{server.address[1]}"
    try:
        with Client(url, ca=certificate) as client:
            assert client.ping()
            assert client.ping()
            with client.stream(limit=1, timeout_s=10.0) as stream:
                client.add("foo")
                assert next(stream).kind == "app.created"
        with pytest.raises(ConnectionFailed, match=r"not trusted.*ca="):
            Client(url, retries=0).ping()
        with pytest.raises((ConnectionFailed, BadReply)):
            Client(url.replace("https", "http"), retries=0).ping()
    finally:
        server.stop(1.0)

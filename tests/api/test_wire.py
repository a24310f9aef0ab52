from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.api.problems import Refusal
from cyme.api.wire import (
    FIELDS_MAX,
    HEAD_BYTES_MAX,
    REQUEST_LINE_BYTES_MAX,
    find_head_end,
    parse_head,
)


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


def refused(block: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        parse_head(block)
    return caught.value.status


def test_reads_an_ordinary_request() -> None:
    found = parse_head(head("GET /foo/?a=1 HTTP/1.1", "Host: localhost:8001", "Accept:  */* "))
    assert (found.method, found.target, found.version) == ("GET", "/foo/?a=1", "HTTP/1.1")
    assert found.fields == {"HTTP_HOST": "localhost:8001", "HTTP_ACCEPT": "*/*"}
    assert found.content_length == 0
    assert found.keeps_alive


def test_leaves_the_target_as_it_came() -> None:
    target = "/foo/queue/q/http://m/%41%2f%2F?x=%20&y=a+b&&;"
    assert parse_head(head(f"GET {target} HTTP/1.1", "Host: x")).target == target


def test_takes_path_and_host_from_an_absolute_target() -> None:
    found = parse_head(head("GET http://localhost:8001/foo/?a=1 HTTP/1.1", "Host: evil.example"))
    assert found.target == "/foo/?a=1"
    assert found.fields["HTTP_HOST"] == "localhost:8001"


@pytest.mark.parametrize(
    "block",
    [
        head("GET / HTTP/1.1", "Host: x", "Content-Length: 3", "Transfer-Encoding: chunked"),
        head("GET / HTTP/1.1", "Host: x", "Content-Length: 3", "Content-Length: 3"),
        head("GET / HTTP/1.1", "Host: x", "Content-Length: +3"),
        head("GET / HTTP/1.1", "Host: x", "Content-Length: 3, 3"),
        head("GET / HTTP/1.1", "Host: x", "Content-Length: \xb2"),
        head("GET / HTTP/1.1", "Host: x", "Content-Length: " + "9" * 30),
        head("GET / HTTP/1.1", "Host: x", "Content-Length:"),
        head("GET / HTTP/1.0", "Transfer-Encoding: chunked"),
        head("GET / HTTP/1.1", "Host: x", "Host: y"),
        head("GET / HTTP/1.1"),
        head("GET / HTTP/1.1", "Host: x", " folded"),
        head("GET / HTTP/1.1", "Host : x"),
        head("GET / HTTP/1.1", "Host: x", "no colon"),
        head("GET / HTTP/1.1", "Host: x", ": nameless"),
        head("GET / HTTP/1.1", "Host: x", "A: b\rC: d"),
        head("GET / HTTP/1.1", "Host: x", "A: b\nC: d"),
        head("GET / HTTP/1.1", "Host: x", "A: \0"),
        head("GET / HTTP/1.1", "Host: x", "A: a\x01b"),
        head("GET / HTTP/1.1", "Host: x", "A: a\x7fb"),
        head("GET / HTTP/1.1", "Host: x", "Referer: http://x/", "Referer: http://y/"),
        head("GET  / HTTP/1.1", "Host: x"),
        head("GET /", "Host: x"),
        head("GET / FTP/1.1", "Host: x"),
        head("GET /#top HTTP/1.1", "Host: x"),
        head("GET /\x01 HTTP/1.1", "Host: x"),
        head("GET foo HTTP/1.1", "Host: x"),
        head("GET http:///foo HTTP/1.1", "Host: x"),
        head("CONNECT m:80 HTTP/1.1", "Host: x"),
        head("G(T / HTTP/1.1", "Host: x"),
    ],
)
def test_refuses_what_could_be_read_in_two_ways(block: bytes) -> None:
    assert refused(block) == 400


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (head("GET / HTTP/1.1", "Host: x", "Transfer-Encoding: gzip, chunked"), 501),
        (head("GET / HTTP/2.0", "Host: x"), 505),
        (head("GET /" + "a" * REQUEST_LINE_BYTES_MAX + " HTTP/1.1", "Host: x"), 414),
        (head("GET / HTTP/1.1", *(f"A{n}: b" for n in range(FIELDS_MAX + 1))), 431),
    ],
)
def test_refuses_with_a_status_of_its_own(block: bytes, status: int) -> None:
    assert refused(block) == status


def test_drops_fields_that_pass_for_others_in_wsgi() -> None:
    found = parse_head(head("GET / HTTP/1.1", "Host: x", "Content_Length: 9", "X_Y: z"))
    assert found.fields == {"HTTP_HOST": "x"}
    assert found.content_length == 0


def test_joins_fields_that_may_repeat() -> None:
    found = parse_head(head("GET / HTTP/1.1", "Host: x", "Prefer: a", "Prefer: b"))
    assert found.fields["HTTP_PREFER"] == "a, b"


@pytest.mark.parametrize(
    ("line", "connection", "keeps"),
    [
        ("GET / HTTP/1.1", "close", False),
        ("GET / HTTP/1.1", "TE, Close", False),
        ("GET / HTTP/1.1", "keep-alive", True),
        ("GET / HTTP/1.0", "keep-alive", True),
        ("GET / HTTP/1.0", "", False),
    ],
)
def test_knows_whether_another_request_follows(line: str, connection: str, keeps: bool) -> None:
    assert parse_head(head(line, "Host: x", f"Connection: {connection}")).keeps_alive is keeps


def test_answers_options_of_the_whole_server() -> None:
    assert parse_head(head("OPTIONS * HTTP/1.1", "Host: x")).target == "/"


@given(st.binary(max_size=300))
def test_never_fails_otherwise_than_by_refusing(block: bytes) -> None:
    for candidate in (block, b"GET / HTTP/1.1\r\nHost: x\r\n" + block):
        try:
            parse_head(candidate + b"\r\n\r\n")
        except Refusal as refusal:
            assert 400 <= refusal.status < 600  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=200), st.integers(1, 40))
def test_finds_the_end_wherever_the_pieces_are_cut(rest: bytes, step: int) -> None:
    block = head("GET / HTTP/1.1", "Host: x")
    whole = block + rest
    buffer = bytearray()
    for start in range(0, len(whole), step):
        searched = len(buffer)
        buffer += whole[start : start + step]
        end = find_head_end(buffer, searched)
        if end >= 0:
            assert end == len(block)
            return
    raise AssertionError("the end was not found")


@pytest.mark.parametrize(
    ("piece", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b"GET / HTTP/1.0\n\n", 400),
        (b"G" * (REQUEST_LINE_BYTES_MAX + 1), 414),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES_MAX, 431),
    ],
)
def test_gives_up_early_on_what_can_become_no_head(piece: bytes, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        find_head_end(bytearray(piece), 0)
    assert caught.value.status == status

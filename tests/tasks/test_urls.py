"""URLs go on the wire as they were queued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.tasks import WebhookForbidden, WebhookInvalid
from cyme.tasks.urls import Url

_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "#")


@given(st.text(_VISIBLE), st.text(_VISIBLE))
def test_path_and_query_are_not_touched(path: str, query: str) -> None:
    url = Url.read(f"http://example.com/{path}?{query}")
    assert url.target == f"/{path}?{query}"
    assert url.shown == f"http://example.com/{path}?{query}"


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("http://example.com", "example.com", 80, "/"),
        ("https://example.com", "example.com", 443, "/"),
        ("HTTP://Example.com/A%2fb", "example.com", 80, "/A%2fb"),
        ("http://example.com?q=1", "example.com", 80, "/?q=1"),
        ("http://example.com/?", "example.com", 80, "/?"),
        ("http://example.com/a//b/../c", "example.com", 80, "/a//b/../c"),
        ("http://example.com:8080/a#part", "example.com", 8080, "/a"),
        ("http://example.com:/a", "example.com", 80, "/a"),
        ("http://[::1]:81/a", "::1", 81, "/a"),
    ],
)
def test_takes_a_url_to_pieces(text: str, host: str, port: int, target: str) -> None:
    url = Url.read(text)
    assert (url.host, url.port, url.target) == (host, port, target)


def test_user_and_password_are_not_shown() -> None:
    url = Url.read("http://me:pass%40word@example.com:81/a?b=c@d")
    assert url.login == "me:pass%40word"
    assert url.shown == "http://example.com:81/a?b=c@d"
    assert url.told == "http://example.com:81/a"
    assert url.authority == "example.com:81"


@pytest.mark.parametrize(
    "text", ["ftp://example.com/", "file:///etc/passwd", "gopher://x/", "javascript://x/"]
)
def test_other_schemes_are_refused(text: str) -> None:
    with pytest.raises((WebhookForbidden, WebhookInvalid)):
        Url.read(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/path", "example.com/", "http:///path", "http://", "http://user@/", "http://:80/"),
        *("http://example.com:99999/", "http://example.com:port/", "http://[::1/", "http://[x]/"),
        *("http://a b/", "http://example.com/a b", "http://example.com/\r\nHost: x", "http://x/\0"),
        *("http://bücher.example/", "http://example.com/ü", "http://good\\@evil/"),
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(WebhookInvalid):
        Url.read(text)


@pytest.mark.parametrize(
    ("location", "shown", "login"),
    [
        ("/b?c", "http://example.com:81/b?c", "me:pw"),
        ("b", "http://example.com:81/a/b", "me:pw"),
        ("?x=1", "http://example.com:81/a/?x=1", "me:pw"),
        ("//other.example/b", "http://other.example/b", None),
        ("https://example.com:81/b", "https://example.com:81/b", None),
        ("http://example.com:82/b", "http://example.com:82/b", None),
        ("http://you:pw2@other.example/", "http://other.example/", "you:pw2"),
        ("/\xfc b", "http://example.com:81/%FC%20b", "me:pw"),
    ],
)
def test_a_redirect_keeps_the_login_within_its_origin(
    location: str, shown: str, login: str | None
) -> None:
    url = Url.read("http://me:pw@example.com:81/a/").joined(location)
    assert (url.shown, url.login) == (shown, login)

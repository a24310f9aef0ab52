from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.adapters.celery_events import replies
from cyme.adapters.celery_events.replies import Replies


def written(elements: list[bytes]) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(each), each) for each in elements]
    return b"*%d\r\n%s" % (len(parts), b"".join(parts))


@given(st.lists(st.lists(st.binary(max_size=50), max_size=5), max_size=8), st.integers(1, 20))
def test_wherever_bytes_are_cut_the_replies_are_the_same(
    said: list[list[bytes]], size: int
) -> None:
    data = b"".join(map(written, said))
    cutter = Replies()
    found = []
    for at in range(0, len(data), size):
        found += cutter.take(data[at : at + size])
    assert found == said


def test_numbers_and_nothing_are_elements_too() -> None:
    data = b"*4\r\n$10\r\npsubscribe\r\n:1\r\n$-1\r\n$0\r\n\r\n"
    assert Replies().take(data) == [[b"psubscribe", b"1", b"", b""]]


@pytest.mark.parametrize(
    "data",
    [b"-ERR no\r\n", b"+OK\r\n", b"\r\n", b"*99\r\n", b"*x\r\n", b"*1\r\n+OK\r\n", b"*1\r\n$x\r\n"],
)
def test_what_is_no_reply_to_a_subscriber_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Replies().take(data)


def test_a_reply_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "REPLY_BYTES_MAX", 100)
    with pytest.raises(ValueError, match="more than 200"):
        Replies().take(b"*1" + b"0" * 200)


@pytest.mark.parametrize("large", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_is_too_large_is_left_out_and_what_follows_is_not(
    large: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "REPLY_BYTES_MAX", 100)
    small = [b"pmessage", b"*", b"channel", b"x" * 100]
    too_large = [*small[:large], b"*1\r\n$1\r\nx\r\n" * 20, *small[large + 1 :]]
    data = b"".join(map(written, [small, too_large, too_large, small]))
    cutter = Replies()
    found = []
    for at in range(0, len(data), size):
        found += cutter.take(data[at : at + size])
    assert found == [small, small]
    assert cutter.left_out == 2

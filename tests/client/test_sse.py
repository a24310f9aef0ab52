from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.client import BadReply, sse
from cyme.client.sse import Frame, FrameParser


def frames(*parts: bytes) -> list[Frame]:
    parser = FrameParser()
    return [frame for part in parts for frame in parser.feed(part)]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_reads_frames_whatever_ends_their_lines(ending: bytes) -> None:
    lines = [b"id: 1", b"event: row", b"data: a", b"data:b", b"", b"data: c", b"", b""]
    assert frames(ending.join(lines)) == [Frame("row", "a\nb", "1"), Frame("message", "c", "1")]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_reads_frames_byte_by_byte(ending: bytes) -> None:
    said = ending.join([b"id: 1", b"data: a", b"data: \xc3\xa9", b"", b"data: c", b"", b""])
    expected = [Frame("message", "a\né", "1"), Frame("message", "c", "1")]
    assert frames(*(bytes([byte]) for byte in said)) == expected
    for cut in range(len(said)):
        assert frames(said[:cut], said[cut:]) == expected


def test_passes_over_comments_and_what_is_not_known() -> None:
    assert frames(b": hello\n\nfoo: bar\nretry: x\nnothing\ndata: a\n\n") == [
        Frame("message", "a", "")
    ]


def test_a_frame_without_data_is_none_but_its_id_counts() -> None:
    parser = FrameParser()
    assert not list(parser.feed(b"id: 7\nevent: x\n\n"))
    assert parser.last_id == "7"
    assert list(parser.feed(b"data: a\n\n")) == [Frame("message", "a", "7")]


def test_an_id_with_a_nul_is_ignored() -> None:
    assert frames(b"id: a\0b\ndata: x\n\n") == [Frame("message", "x", "")]


def test_takes_the_time_to_wait_from_the_stream() -> None:
    parser = FrameParser()
    assert not list(parser.feed(b"retry: 2500\n\nretry: 99999999999999\n\n"))
    assert parser.retry_s == 2.5


def test_forgets_what_was_not_complete_when_it_begins_anew() -> None:
    parser = FrameParser("41")
    assert not list(parser.feed(b"id: 42\ndata: half"))
    parser.start()
    assert parser.last_id == "42"
    assert list(parser.feed(b"\xef\xbb\xbfdata: whole\n\n")) == [Frame("message", "whole", "42")]


def test_a_line_or_a_frame_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LINE_CHARS_MAX", 100)
    monkeypatch.setattr(sse, "DATA_CHARS_MAX", 200)
    with pytest.raises(BadReply, match="line"):
        frames(b"data: " + b"x" * 101)
    with pytest.raises(BadReply, match="frame"):
        frames(b"data: 12345678\n" * 30)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@settings(deadline=None, max_examples=50, print_blob=True)
@given(
    st.lists(st.tuples(TEXT, TEXT), max_size=5),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.data(),
)
def test_finds_the_same_frames_however_the_bytes_come(
    said: list[tuple[str, str]], ending: str, data: st.DataObject
) -> None:
    text = "".join(
        ending.join([f"id: {number}", f"data: {first}", f"data: {second}", "", ""])
        for number, (first, second) in enumerate(said)
    )
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    expected = [
        Frame("message", f"{first}\n{second}", str(number))
        for number, (first, second) in enumerate(said)
    ]
    assert frames(*parts) == expected

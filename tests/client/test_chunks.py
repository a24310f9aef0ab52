from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.client import BadReply
from cyme.client.chunks import ChunkDecoder


@settings(deadline=None, max_examples=50, print_blob=True)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_puts_a_body_together_however_its_chunks_come(
    body: list[bytes], data: st.DataObject
) -> None:
    sent = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in body) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    decoder = ChunkDecoder()
    found = b"".join(
        decoder.feed(sent[start:end])
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)
    )
    assert found == b"".join(body)
    assert decoder.has_ended


@pytest.mark.parametrize(
    "sent",
    [b"zz\r\n", b"-1\r\n", b"\r\n", b"1\r\nab\r\n", b"f" * 20 + b"\r\n", b"1" * 2000, b"0x1\r\n"],
)
def test_refuses_what_are_no_chunks(sent: bytes) -> None:
    with pytest.raises(BadReply, match="chunk"):
        ChunkDecoder().feed(sent)

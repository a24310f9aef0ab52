from __future__ import annotations

import socket
from contextlib import closing

import pytest

from cyme.errors import SettingsError
from cyme.programs.binding import bind, is_loopback, url_of
from cyme.settings import Address, Settings


def bound(host: str, *, insecure: bool = False) -> socket.socket:
    listening = bind(Settings(address=Address(host, 0), insecure=insecure))
    assert listening is not None
    return listening


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1"])
def test_loopback_is_bound_without_a_word(host: str) -> None:
    with closing(bound(host)) as listening:
        assert is_loopback(listening)
        with closing(socket.create_connection(listening.getsockname()[:2], timeout=5)):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_addresses_take_a_word(host: str) -> None:
    with pytest.raises(SettingsError, match="can be reached from other machines"):
        bound(host)
    with closing(bound(host, insecure=True)) as listening:
        assert not is_loopback(listening)
        assert url_of(listening, "https").startswith(f"https://{socket.gethostname()}:")


def test_nothing_is_bound_without_http() -> None:
    assert bind(Settings(without_http=True)) is None


def test_a_url_has_brackets_where_they_are_needed() -> None:
    with closing(bound("::1")) as listening:
        assert url_of(listening, "http") == f"http://[::1]:{listening.getsockname()[1]}"
    with closing(bound("127.0.0.1")) as listening:
        assert url_of(listening, "http") == f"http://127.0.0.1:{listening.getsockname()[1]}"

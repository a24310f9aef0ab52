"""A server that was lost comes back with its data, at its place or at another that is told."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest
import redis

from cyme.adapters.embedded_broker import broker
from cyme.adapters.embedded_broker.directory import BrokerDirectory
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker, ensured, kill, listen


def test_comes_back_after_a_kill_with_its_data_at_the_same_url(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    kill(before)
    after = ensured(embedded)
    assert after.started
    assert after.pid != before.pid
    assert (after.broker, after.result_backend) == (before.broker, before.result_backend)
    assert after.moved_from is None
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_waits_until_a_large_store_is_loaded(make: MakeBroker) -> None:
    embedded = make()
    service = ensured(embedded)
    client = redis.Redis.from_url(service.broker.url)
    client.eval("for i = 1, 200000 do redis.call('set', 'key' .. i, i) end", 0)
    kill(service)
    assert redis.Redis.from_url(ensured(embedded).broker.url).dbsize() == 200_000


def test_moves_when_its_port_was_taken_and_says_where_it_was(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    kill(before)
    with listen(before.broker.port or 0):
        after = ensured(embedded)
    assert after.broker.port != before.broker.port
    assert after.broker.password != before.broker.password
    assert after.moved_from == before.broker
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_tells_a_branch_that_was_away_of_every_move(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    places = [ensured(make())]
    for _ in range(2):
        kill(places[-1])
        with listen(places[-1].broker.port or 0):
            places.append(ensured(make()))
    late = ensured(make())
    assert late.broker == places[2].broker
    assert late.former == (places[0].broker, places[1].broker)


def test_waits_for_a_port_that_is_taken_for_a_moment(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    kill(before)
    taker = listen(before.broker.port or 0)
    release = threading.Timer(0.2, taker.close)
    release.start()
    assert ensured(embedded).broker == before.broker
    release.join()


def test_replaces_a_damaged_rendezvous(make: MakeBroker, tmp_path: Path) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    (tmp_path / "state" / "main" / "broker.json").write_bytes(b'{"port": "nonsense"')
    after = ensured(make())
    assert after.started
    assert not psutil.pid_exists(before.pid) or psutil.Process(before.pid).status() == "zombie"
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_starts_beside_a_stranger_that_answers_on_its_port(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    one = make("one")
    before = ensured(one)
    one.stop(TIMEOUT_S)
    two = ensured(make("two"))
    directory = BrokerDirectory(one.status().directory)
    place = directory.rendezvous()
    assert place is not None
    assert place.port == before.broker.port
    # As if the server of the other cluster had taken the port after a reboot.
    settled = type(place)(two.broker.port or 0, place.password, place.program)
    directory.settle(settled)
    after = ensured(one)
    assert after.pid != two.pid
    assert after.broker.port != two.broker.port


def test_a_server_is_looked_at_over_one_connection_and_started_again_when_that_breaks(
    make: MakeBroker,
) -> None:
    embedded = make()
    service = ensured(embedded)
    server = redis.Redis.from_url(service.broker.url)
    ensured(embedded)
    before = server.info("stats")["total_connections_received"]
    for _ in range(5):
        assert not ensured(embedded).started
    assert server.info("stats")["total_connections_received"] == before
    kill(service)
    assert ensured(embedded).started

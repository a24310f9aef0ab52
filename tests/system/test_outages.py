"""Brokers that go away, hang and come back."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.system.proxy import Proxy, proxy_to
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE = (
    *("--sup-interval", "1"),
    *("--unresponsive-after", "3"),
    *("--wait-after-broker-revived", "10"),
)


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def proxy(broker_url: str) -> Iterator[Proxy]:
    parts = urlsplit(broker_url)
    with proxy_to(str(parts.hostname), parts.port or 0) as proxy:
        yield proxy


def through(proxy: Proxy, url: str) -> str:
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{proxy.port}"))


def state(branch: Branch, name: str) -> object:
    return branch.instance("foo", name)["state"]


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_an_outage_restarts_nothing_and_harms_no_other_broker(
    start_branch: StartBranch, proxy: Proxy, broker_url: str, fault: str
) -> None:
    branch = start_branch(*PATIENCE)
    branch.put("/foo/instances/far/", broker=through(proxy, broker_url))
    branch.put("/foo/instances/near/")
    branch.running("foo", "far")
    branch.running("foo", "near")
    far, near = branch.main_pid("foo", "far"), branch.main_pid("foo", "near")

    getattr(proxy, fault)()
    eventually(lambda: state(branch, "far") == "unknown", 30)
    branch.put("/foo/instances/other/")
    branch.running("foo", "other")
    assert state(branch, "near") == "running"
    assert state(branch, "far") == "unknown"
    assert branch.get("/ping/") == {"ok": "pong"}

    proxy.mend()
    eventually(lambda: state(branch, "far") == "running", 60)
    assert branch.main_pid("foo", "far") == far
    assert branch.main_pid("foo", "near") == near
    assert branch.instance("foo", "far")["restarts"] == 0


def test_an_instance_on_a_broker_that_is_away_waits_and_says_so(
    start_branch: StartBranch, proxy: Proxy, broker_url: str
) -> None:
    proxy.cut()
    branch = start_branch(*PATIENCE)
    branch.put("/foo/instances/far/", broker=through(proxy, broker_url))
    eventually(lambda: "broker" in str(branch.instance("foo", "far")["reason"]), 20)
    assert state(branch, "far") == "pending"
    assert branch.worker_processes("far") == []
    proxy.mend()
    branch.running("foo", "far")

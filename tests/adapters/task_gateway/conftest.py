"""A worker for all tests of a broker, and a gateway for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cyme.core.model import Queue
from tests.adapters.proxy import FreezingProxy
from tests.adapters.task_gateway.ground import Gateway, Worker, queue, running, unique
from tests.system.target import Target, http_target

MakeGateway = Callable[..., Gateway]


@pytest.fixture(scope="module", params=["rabbitmq", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="module")
def work(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """Yield a queue that a worker consumes from."""
    consumed = queue(unique("work"))
    with running(Worker(url, tmp_path_factory.mktemp("worker"), [consumed])):
        yield consumed


@pytest.fixture
def idle() -> Queue:
    """Return a queue that nobody consumes from."""
    return queue(unique("idle"))


@pytest.fixture
def make_gateway(url: str) -> Iterator[MakeGateway]:
    """Yield a function that makes gateways, to the real broker or through a proxy to it."""
    made: list[Gateway] = []

    def make(at: str = url, **arguments: object) -> Gateway:
        made.append(Gateway(at, **arguments))  # type: ignore[arg-type]  # passed on as they are
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> Gateway:
    return make_gateway()


@pytest.fixture
def proxy(url: str) -> Iterator[FreezingProxy]:
    proxy = FreezingProxy(url)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with http_target() as target:
        yield target


@pytest.fixture
def log_directory(tmp_path: Path) -> Path:
    return tmp_path

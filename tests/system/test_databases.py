"""A branch that keeps its records on a database server."""

from __future__ import annotations

import pytest

from tests.system.conftest import StartBranch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(params=["postgres", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


def test_records_on_a_server_survive_the_death_of_the_branch(
    start_branch: StartBranch, database_url: str
) -> None:
    branch = start_branch("--db", database_url)
    branch.put("/foo/")
    branch.put("/foo/queues/tasks/", routing_key="t")
    branch.put("/foo/instances/w1/", queues=["tasks"], max_concurrency=3)
    before = branch.running("foo", "w1")
    branch.kill()
    branch.start()
    after = branch.running("foo", "w1")
    assert after["pids"] == before["pids"]
    assert after["max_concurrency"] == 3
    assert after["queues"] == ["tasks"]
    assert branch.member("/foo/queues/tasks/", "routing_key") == "t"
    assert not (branch.directory / "cyme.sqlite").exists()

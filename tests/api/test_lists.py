from __future__ import annotations

import pytest
from falcon import testing

from tests.api.branch import VIEWER, FakeBranch


@pytest.fixture(autouse=True)
def records(client: testing.TestClient) -> None:
    client.simulate_put("/foo/?max_concurrency=4")
    client.simulate_put("/bar/")
    client.simulate_put("/foo/queues/tasks/?exchange=x")
    client.simulate_put("/bar/queues/tasks/")
    client.simulate_put("/foo/instances/w1/?queues=tasks")
    client.simulate_put("/bar/instances/w2/?max_concurrency=2&branch=branch1")


@pytest.mark.parametrize(
    ("path", "one"),
    [("/", "/{name}/"), ("/instances/", "/instances/{name}/"), ("/branches/", "/branches/{id}/")],
)
def test_a_detailed_list_shows_each_as_it_is_shown_alone(
    client: testing.TestClient, path: str, one: str
) -> None:
    names = client.simulate_get(path).json
    rows = client.simulate_get(path, params={"details": "1"}).json
    assert [row.get("name", row.get("id")) for row in rows] == names
    volatile = {"as_of", "heard_s", "load", "hub_lag_s"}
    for row in rows:
        alone = client.simulate_get(one.format(**row)).json
        assert {k: v for k, v in row.items() if k not in volatile} == {
            k: v for k, v in alone.items() if k not in volatile
        }


def test_the_list_of_an_app_shows_its_own_alone(client: testing.TestClient) -> None:
    assert [row["name"] for row in client.simulate_get("/foo/instances/?details=1").json] == ["w1"]
    assert client.simulate_get("/nothing/instances/?details=1").status_code == 404


def test_queues_of_all_apps_are_listed_with_their_app(client: testing.TestClient) -> None:
    rows = client.simulate_get("/queues/").json
    assert client.simulate_get("/queues/?details=1").json == rows
    assert [row["app"] for row in rows] == ["bar", "foo"]
    assert [(row["app"], row["exchange"]) for row in rows] == [("bar", None), ("foo", "x")]
    assert client.simulate_get("/foo/queues/?details=1").json == [rows[1]]


def test_what_an_instance_says_itself_is_told_from_what_it_inherits(
    client: testing.TestClient,
) -> None:
    listed = {row["name"]: row for row in client.simulate_get("/instances/?details=1").json}
    assert {name: row["max_concurrency"] for name, row in listed.items()} == {"w1": 4, "w2": 2}
    assert {name: row["own"] for name, row in listed.items()} == {
        "w1": [],
        "w2": ["max_concurrency"],
    }
    assert {name: row["pinned"] for name, row in listed.items()} == {"w1": False, "w2": True}


def test_a_viewer_sees_no_password_in_a_list(branch: FakeBranch) -> None:
    rows = branch.closed.simulate_get("/instances/?details=1", headers=VIEWER).json
    assert {row["broker"]["password"] for row in rows} == {"********"}

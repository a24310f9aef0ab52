from __future__ import annotations

import pytest
from falcon import testing
from openapi_spec_validator import OpenAPIV31SpecValidator

from cyme import errors
from cyme.api.openapi import describe
from cyme.api.problems import Refusal, problem_of
from cyme.api.routes import routes
from cyme.api.streaming.broadcaster import Broadcaster
from cyme.core.status import InstanceState
from cyme.errors import StorageUnavailable
from tests.api.branch import FakeBranch


def every_error(error: type[errors.CymeError]) -> list[type[errors.CymeError]]:
    """Return the errors that a branch can meet; the client has errors of its own."""
    deeper = [each for sub in error.__subclasses__() for each in every_error(sub)]
    return [each for each in (error, *deeper) if not each.__module__.startswith("cyme.client")]


# --- health and branches -------------------------------------------------------------------------


def test_answers_a_ping(client: testing.TestClient) -> None:
    for verb in ("GET", "PUT", "POST"):
        assert client.simulate_request(verb, "/ping/").json == {"ok": "pong"}
    assert client.simulate_get("/healthz").json["ok"]


def test_is_ready_unless_it_cannot_work(branch: FakeBranch) -> None:
    ready = {"ready": True, "reasons": [], "fenced": False}
    assert branch.client.simulate_get("/readyz").json == ready
    branch.members.fenced = True
    reply = branch.client.simulate_get("/readyz")
    assert (reply.status_code, reply.json) == (200, ready | {"fenced": True})
    branch.store.failure = StorageUnavailable("The disk is gone.")
    branch.client.simulate_put("/foo/")
    reply = branch.client.simulate_get("/readyz/")
    assert reply.status_code == 503
    assert "The disk is gone." in reply.json["reasons"][0]
    assert reply.headers["retry-after"] == "5"
    assert branch.client.simulate_get("/healthz").status_code == 200


def test_shows_branches(client: testing.TestClient) -> None:
    assert client.simulate_get("/branches/").json == ["branch1"]
    shown = client.simulate_get("/branches/branch1/").json
    assert (shown["id"], shown["state"], shown["port"]) == ("branch1", "alive", 8000)
    assert {"url", "loglevel", "logfile", "numc", "sup_interval"} <= set(shown), "the reference"
    assert client.simulate_get("/branches/none").status_code == 404


# --- what is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/foo/nothing/", "/a/b/c/d/e", "/foo//instances/"])
def test_an_unknown_path_is_a_problem(client: testing.TestClient, path: str) -> None:
    reply = client.simulate_get(path)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_wrong_verb_is_told_the_right_ones(client: testing.TestClient) -> None:
    reply = client.simulate_patch("/foo/")
    assert reply.status_code == 405
    assert set(reply.headers["allow"].split(", ")) == {
        "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT",
    }  # fmt: skip
    assert "PATCH" in reply.json["detail"]
    options = client.simulate_options("/foo/instances/")
    assert options.status_code == 200
    assert "PUT" in options.headers["allow"]


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        ("/!/foo/", {"PUT", "POST", "DELETE"}),
        ("/foo/instances/!/w1/", {"PUT", "POST", "DELETE"}),
        ("/foo/instance/!/", {"PUT", "POST"}),
        ("/foo/queues/!/q/", {"PUT", "POST", "DELETE"}),
    ],
)
def test_an_asynchronous_path_offers_what_works_there(
    client: testing.TestClient, path: str, verbs: set[str]
) -> None:
    reply = client.simulate_options(path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert set(reply.headers["allow"].split(", ")) == verbs
    assert client.simulate_get(path).status_code == 501
    for verb in verbs:
        assert client.simulate_request(verb, path).status_code not in {405, 501}, verb


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_an_unknown_verb_is_a_problem(client: testing.TestClient) -> None:
    reply = client.simulate_request("LOCK", "/foo/")
    assert reply.status_code in {405, 501}
    assert reply.headers["content-type"] == "application/problem+json"


def test_head_answers_as_get_without_a_body(client: testing.TestClient) -> None:
    for path in ("/", "/instances/", "/branches/", "/healthz", "/openapi.json"):
        get, head = client.simulate_get(path), client.simulate_head(path)
        assert (head.status_code, head.text) == (get.status_code, "")
        assert head.headers["content-length"] == get.headers["content-length"]


def test_a_body_that_is_too_long_is_refused_unread(client: testing.TestClient) -> None:
    reply = client.simulate_put("/foo/", body="a=" + "b" * 1024 * 1024)
    assert reply.status_code == 413
    assert reply.json["type"] == "urn:cyme:problem:too-large"


# --- problems ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", every_error(errors.CymeError), ids=lambda error: error.__name__)
def test_every_error_has_a_problem(error: type[errors.CymeError]) -> None:
    if error is errors.NotFound:
        made: errors.CymeError = errors.NotFound("app", "foo")
    elif error is errors.NotOwner:
        made = errors.NotOwner("b2", 7)
    elif error.__name__ == "Refusal":
        made = Refusal(418, "No coffee.")
    elif error.__name__ == "StillWaiting":
        made = error("id", "PENDING", 1.0)  # type: ignore[call-arg] # its own fields
    else:
        made = error("It is so.")
    problem, headers = problem_of(made)
    assert 400 <= problem.status <= 507
    assert problem.detail
    assert problem.title
    assert problem.type.startswith("urn:cyme:problem:")
    if isinstance(made, errors.Unavailable):
        assert headers["Retry-After"].isdigit()
        assert problem.status in {503, 507}


# --- the description -----------------------------------------------------------------------------


@pytest.mark.timeout(300)  # a busy machine that measures coverage takes minutes
def test_the_description_is_valid_openapi(client: testing.TestClient) -> None:
    document = client.simulate_get("/openapi.json").json
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"].startswith("3.1")


def test_the_description_names_every_route_and_verb(branch: FakeBranch) -> None:
    served = routes(branch.service, Broadcaster(branch.service))
    document = describe(served)
    assert len(document["paths"]) == sum(1 + bool(route.async_template) for route in served)
    for route in served:
        assert route.operations(), route.template
    queueing = document["paths"]["/{app}/queue/{queue}/{url}"]
    assert set(queueing) == {"get", "post", "put", "delete", "options", "patch", "trace"}


def test_the_description_is_made_of_the_types_that_serve(client: testing.TestClient) -> None:
    document = client.simulate_get("/openapi.json").json
    schemas = document["components"]["schemas"]
    assert schemas["InstanceState"]["enum"] == sorted(InstanceState)
    put = document["paths"]["/{app}/instances/{name}/"]["put"]
    names = {parameter.get("name") for parameter in put["parameters"]}
    assert {"app", "name", "If-Match"} <= names
    assert {"$ref": "#/components/parameters/InstanceParameters.queues"} in put["parameters"]
    queues = document["components"]["parameters"]["InstanceParameters.queues"]
    assert queues["in"] == "query"
    body = put["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/InstanceParameters"}
    assert document["paths"]["/ping/"]["get"]["security"] == []

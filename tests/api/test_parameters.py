from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.api.changes import worker_changes
from cyme.api.inputs import InstanceParameters, NewQueueParameters, QueueParameters, WaitParameters
from cyme.api.parameters import Parameters, parse_json
from cyme.core.model import Broker
from cyme.errors import InvalidRequest
from tests.api.branch import FakeBranch

INSTANCE = Parameters(InstanceParameters)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def faults_of(parameters: Parameters, *given: tuple[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parameters.accept(list(given))
    return {fault.parameter: fault.detail for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_concurrency", "3", 3),
        ("max_concurrency", 3, 3),
        ("is_enabled", "false", False),
        ("is_enabled", True, True),
        ("queues", "a, b,,c", ["a", "b", "c"]),
        ("queues", ["a", "b"], ["a", "b"]),
        ("queues", '["a"]', ["a"]),
        ("env", '{"A": "b"}', {"A": "b"}),
        ("env", {"A": "b"}, {"A": "b"}),
        ("labels", "zone=a,disk=ssd", "zone=a,disk=ssd"),
        ("labels", {"zone": "a"}, {"zone": "a"}),
        ("labels", "", None),
        ("labels", None, None),
        ("pool", "", None),
        ("pool", None, None),
    ],
)
def test_converts_texts_and_json_alike(name: str, value: object, expected: object) -> None:
    assert INSTANCE.accept([(name, value)]) == {name: expected}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_concurrency", "0"),
        ("max_concurrency", "three"),
        ("max_concurrency", "1.5"),
        ("max_concurrency", True),
        ("is_enabled", "perhaps"),
        ("pool", "pool"),
        ("workdir", "relative"),
        ("env", '{"A": 1}'),
        ("env", "A=b"),
        ("env", '{"A": "\\ud800"}'),
        ("queues", [1]),
        ("labels", 5),
        ("labels", ["zone=a"]),
        ("labels", {"zone": 1}),
        ("labels", "a" * 4097),
        ("hostname", "amqp://host"),
        ("hostname", 5),
        ("arguments", "a\0b"),
        ("port", "65536"),
    ],
)
def test_names_what_is_wrong(name: str, value: object) -> None:
    assert list(faults_of(INSTANCE, (name, value))) == [name]


def test_tells_all_faults_at_once() -> None:
    found = faults_of(INSTANCE, ("prot", "1"), ("pool", "x"), ("max_concurrency", "x"))
    assert list(found) == ["prot", "pool", "max_concurrency"]
    assert found["prot"] == "is not known; did you mean port?"
    assert "there are arguments, branch" in faults_of(INSTANCE, ("zzz", "1"))["zzz"]
    assert found["pool"] == "must be one of prefork, threads, gevent, eventlet, solo"


def test_refuses_a_parameter_given_twice_with_different_values() -> None:
    assert list(faults_of(INSTANCE, ("port", "1"), ("port", "2"))) == ["port"]
    assert list(faults_of(INSTANCE, ("vhost", "a"), ("virtual_host", "b"))) == ["virtual_host"]
    assert INSTANCE.accept([("port", "1"), ("port", 1)]) == {"port": 1}


def test_asks_for_what_is_missing() -> None:
    assert "is missing" in faults_of(Parameters(NewQueueParameters))["name"]
    assert "is empty" in faults_of(Parameters(NewQueueParameters), ("name", ""))["name"]


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "601", "1e999"])
def test_takes_no_number_that_is_none(value: str) -> None:
    assert list(faults_of(Parameters(WaitParameters), ("timeout", value))) == ["timeout"]


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=4))
def test_accepts_or_refuses_whatever_comes(values: dict[str, str]) -> None:
    try:
        INSTANCE.accept(list(values.items()))
    except InvalidRequest as exc:
        assert exc.faults  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "text",
    ["{", '{"a": 1, "a": 2}', "NaN", b"\xff", "[" * 100_000, "1" * 5000, '{"a": {"b":1,"b":2}}'],
)
def test_refuses_json_that_is_none(text: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_json(text)


# --- brokers -------------------------------------------------------------------------------------


def broker_of(*given: tuple[str, object]) -> Any:
    return worker_changes(INSTANCE.accept(list(given))).get("broker", "unchanged")


def test_makes_a_broker_of_five_fields() -> None:
    found = broker_of(("hostname", "w1"), ("userid", "me"), ("password", "p@:/"), ("vhost", "/x"))
    assert found == Broker("amqp://me:p%40%3A%2F@w1:5672/%2Fx")


def test_ignores_broker_fields_without_a_hostname() -> None:
    assert broker_of(("port", "1"), ("userid", "me"), ("password", "x")) == "unchanged"


def test_takes_a_broker_url() -> None:
    assert broker_of(("broker", "redis://:pw@h:1/2")) == Broker("redis://:pw@h:1/2")


def test_resets_the_broker() -> None:
    assert broker_of(("broker", "")) is None
    assert broker_of(("hostname", None)) is None


@pytest.mark.parametrize("url", ["amqp://me:p%40x@w1:5672/%2F", "redis://:pw@h:6379/1"])
def test_takes_a_broker_as_replies_print_it(branch: FakeBranch, url: str) -> None:
    branch.client.simulate_put("/foo/", params={"broker": url})
    printed = branch.client.simulate_get("/foo/").json["broker"]
    assert broker_of(("broker", printed)) == Broker(url)


@pytest.mark.parametrize(
    "given_broker",
    [
        [("broker", "amqp://h/"), ("hostname", "h")],
        [("broker", "amqp://h:port/")],
        [("broker", "amqp://u:********@h/")],
        [("broker", "host")],
        [("broker", {"port": 1})],
        [("broker", {"hostname": "h", "prot": 1, "port": "x"})],
        [("hostname", "h:5672")],
    ],
)
def test_refuses_a_broker_that_is_none(given_broker: list[tuple[str, object]]) -> None:
    with pytest.raises(InvalidRequest):
        broker_of(*given_broker)


# --- where they come from ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body", "headers"),
    [
        ("exchange=e&routing_key=r", "", {}),
        ("", "exchange=e&routing_key=r", FORM),
        ("", '{"exchange": "e", "routing_key": "r"}', JSON),
        ("", '{"exchange": "e", "routing_key": "r"}', {"Content-Type": "application/json; x=y"}),
        ("routing_key=r", "exchange=e", FORM),
        ("routing_key=r", '{"exchange": "e"}', JSON),
        ("routing_key=r", '{"exchange": "e", "routing_key": "r"}', JSON),
    ],
)
@pytest.mark.parametrize("verb", ["PUT", "POST"])
def test_parameters_come_by_query_form_and_json(
    branch: FakeBranch, verb: str, query: str, body: str, headers: dict[str, str]
) -> None:
    branch.client.simulate_put("/foo/")
    reply = branch.client.simulate_request(
        verb, "/foo/queues/q/", query_string=query, body=body, headers=headers
    )
    assert reply.status_code == 201
    assert (reply.json["exchange"], reply.json["routing_key"]) == ("e", "r")


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "says"),
    [
        ("exchange=a", "exchange=b", FORM, 400, "exchange: is there twice"),
        ("exchange=a&exchange=b", "", {}, 400, "exchange: is there twice"),
        ("", '{"exchange": "a"}', FORM, 400, "Content-Type: application/json"),
        ("", "{", JSON, 400, "not valid at line 1"),
        ("", "[]", JSON, 400, "must be an object"),
        ("", "<a/>", {"Content-Type": "text/xml"}, 415, "text/xml"),
        ("a=%ff", "", {}, 400, "UTF-8"),
        ("&".join(f"a{n}=1" for n in range(300)), "", {}, 400, "200 parameters"),
    ],
)
def test_refuses_parameters_that_cannot_be_read(
    branch: FakeBranch, query: str, body: str, headers: dict[str, str], status: int, says: str
) -> None:
    branch.client.simulate_put("/foo/")
    reply = branch.client.simulate_put(
        "/foo/queues/q/", query_string=query, body=body, headers=headers
    )
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert says in reply.json["detail"]
    assert branch.client.simulate_get("/foo/queues/").json == []


def test_takes_a_queues_options_as_an_object_or_its_text() -> None:
    parameters = Parameters(QueueParameters)
    expected = {"options": {"durable": False}}
    assert parameters.accept([("options", '{"durable": false}')]) == expected
    assert parameters.accept([("options", {"durable": False})]) == expected
    assert parameters.accept([("options", None)]) == {"options": None}


@pytest.mark.parametrize("levels", [40, 500, 950])
def test_refuses_what_is_nested_too_deep(branch: FakeBranch, levels: int) -> None:
    branch.client.simulate_put("/foo/")
    body = '{"options": {"binding_arguments": {"x": ' + "[" * levels + "]" * levels + "}}}"
    reply = branch.client.simulate_put("/foo/queues/q/", body=body, headers=JSON)
    assert reply.status_code == 400
    assert "nested" in reply.json["detail"]


def test_repeats_a_long_unknown_name_in_part() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Parameters(QueueParameters).accept([("n" * 1_000_000, "1")])
    assert len(caught.value.detail) < 500

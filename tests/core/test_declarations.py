from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.declarations import OPTIONS, OPTIONS_CHARS_MAX, checked_declaration
from cyme.errors import InvalidRequest


def _check(
    exchange: str | None = None,
    exchange_type: str | None = None,
    routing_key: str | None = None,
    options: str | None = None,
) -> str | None:
    return checked_declaration(
        exchange=exchange, exchange_type=exchange_type, routing_key=routing_key, options=options
    )


def test_a_declaration_may_say_nothing() -> None:
    assert _check() is None
    assert _check(options="{}") is None


def test_arguments_of_every_kind_that_amqp_can_carry_are_taken() -> None:
    options = '{"queue_arguments": {"a": 1, "b": "text", "c": [true, 2.5, {"d": null}]}}'
    assert _check(options=options) == options


def test_options_are_kept_in_one_spelling() -> None:
    text = '{"message_ttl": 1.5, "durable": false, "queue_arguments": {"x-queue-type": "quorum"}}'
    kept = _check("e", "topic", "a.#", text)
    assert kept == _check("e", "topic", "a.#", json.dumps(json.loads(text), indent=3))
    assert kept is not None
    assert json.loads(kept) == json.loads(text)


@pytest.mark.parametrize("kind", ["direct", "fanout", "headers", "topic", "x-delayed-message"])
def test_takes_exchange_types_that_brokers_have(kind: str) -> None:
    _check(exchange_type=kind)


@pytest.mark.parametrize(
    "options",
    [
        {"max_priority": 10, "delivery_mode": 2, "binding_key": "a.*"},
        {"delivery_mode": "transient", "no_ack": True, "exclusive": False},
        {"expires": 10, "max_length": 5, "max_length_bytes": 100, "auto_delete": True},
        {"exchange_arguments": {}, "binding_arguments": {}, "consumer_arguments": {"x": 1}},
    ],
)
def test_takes_the_options_of_kombu(options: dict[str, object]) -> None:
    _check(options=json.dumps(options))


@pytest.mark.parametrize(
    ("parameter", "value", "told"),
    [
        ("exchange", "", "empty"),
        ("exchange", "a\nb", "control character"),
        ("exchange", "ä" * 128, "255 bytes"),
        ("exchange", "amq.topic", "belong to the broker"),
        ("routing_key", "", "empty"),
        ("exchange_type", "topics", "one of direct"),
        ("exchange_type", "x-\n", "one of direct"),
        ("options", "{", "is not JSON"),
        ("options", "[" * 100_000, "at most"),
        ("options", "[" * (OPTIONS_CHARS_MAX - 1), "is not JSON"),
        ("options", '{"expires": NaN}', "is not JSON"),
        ("options", '{"expires": 1e999}', "is not JSON"),
        ("options", "[1]", "JSON map"),
        ("options", '{"exchange": "x"}', "parameter of its own"),
        ("options", '{"durabel": true}', "did you mean durable?"),
        ("options", '{"durable": 1}', "true or false"),
        ("options", '{"expires": -1}', "a number"),
        ("options", '{"expires": true}', "a number"),
        ("options", '{"queue_arguments": []}', "must be a map"),
        ("options", '{"binding_key": 3}', "binding_key must be a text"),
        ("options", '{"delivery_mode": 3}', "delivery_mode must be"),
        ("options", '{"delivery_mode": true}', "delivery_mode must be"),
        ("options", '{"delivery_mode": []}', "delivery_mode must be"),
        ("options", '{"expires": 1e308}', "0 to 4294967"),
        ("options", '{"message_ttl": ' + "9" * 4000 + "}", "0 to 4294967"),
        ("options", '{"max_length": 9223372036854775808}', "0 to 9223372036854775807"),
        ("options", '{"max_length_bytes": 1.5}', "whole number"),
        ("options", '{"queue_arguments": {"x": [9223372036854775808]}}', "64 bits"),
        ("options", '{"queue_arguments": {"' + "k" * 256 + '": 1}}', "too long"),
        ("options", '{"queue_arguments": {"x": ' + "[" * 20 + "]" * 20 + "}}", "nested"),
        ("options", '{"max_priority": 256}', "0 to 255"),
        ("options", '{"max_priority": 1.5}', "0 to 255"),
    ],
)
def test_refuses_what_would_harm_a_worker(parameter: str, value: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _check(**{parameter: value})
    (fault,) = caught.value.faults
    assert fault.parameter == parameter
    assert told in fault.detail


def test_tells_all_faults_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        _check("", "no", "", "no")
    assert [fault.parameter for fault in caught.value.faults] == [
        "exchange",
        "routing_key",
        "exchange_type",
        "options",
    ]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.text(max_size=20)
    | st.dictionaries(st.sampled_from(sorted(OPTIONS)), _json, max_size=3).map(json.dumps),
)
def test_refuses_or_accepts_anything(
    exchange: str | None, exchange_type: str | None, options: str
) -> None:
    try:
        kept = _check(exchange, exchange_type, exchange, options)
    except InvalidRequest:
        return
    assert kept == _check(options=kept)

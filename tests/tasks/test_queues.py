"""A starting worker takes on the queues that its command line cannot declare."""

from __future__ import annotations

import json
from types import SimpleNamespace

import celery
import pytest

from cyme.tasks.queues import consume_declared
from tests.adapters.task_gateway.ground import celery_app, unique

NOWHERE = "amqp://guest:guest@127.0.0.1:1//"


def consumed(app: celery.Celery, declarations: object, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what a worker that was started with ``-Q plain`` consumes from."""
    monkeypatch.setenv("CYME_QUEUES", json.dumps(declarations))
    app.amqp.queues.select(["plain"])
    consume_declared(instance=SimpleNamespace(app=app))
    return set(app.amqp.queues.consume_from)


def declaration(**given: object) -> dict[str, object]:
    nothing = dict.fromkeys(("exchange", "exchange_type", "routing_key", "options"))
    return {**nothing, "name": unique("q"), **given}


@pytest.mark.rabbitmq
def test_bad_declarations_are_left_out_and_good_ones_taken_on(
    rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = celery_app(rabbitmq_url)
    good = declaration(exchange=unique("x"), exchange_type="topic", routing_key="a.#")
    name = str(good["name"])
    bad = [
        {**good, "options": {"max_priority": 3}},
        declaration(exchange_type="x-odd"),
        declaration(options=7),
        "nonsense",
    ]
    assert consumed(app, [good, *bad], monkeypatch) == {"plain", name}
    assert caplog.text.count("is left out") == len(bad)
    found = app.amqp.queues[name]
    assert (found.exchange.name, found.exchange.type) == (good["exchange"], "topic")
    assert found.routing_key == "a.#"


def test_what_is_not_said_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    app = celery_app("memory://")
    said = declaration(options={"max_priority": 4, "durable": False})
    name = str(said["name"])
    assert name in consumed(app, [said], monkeypatch)
    found = app.amqp.queues[name]
    assert (found.exchange.name, found.exchange.type, found.routing_key) == (name, "direct", name)
    assert (found.max_priority, found.durable) == (4, False)


def test_a_broker_that_is_away_is_not_asked_but_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = declaration(exchange_type="fanout")
    assert said["name"] in consumed(celery_app(NOWHERE), [said], monkeypatch)
    assert "away" in caplog.text


def test_no_declarations_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = celery_app("memory://")
    assert consumed(app, [], monkeypatch) == {"plain"}
    monkeypatch.setenv("CYME_QUEUES", "")
    consume_declared(instance=SimpleNamespace(app=app))
    monkeypatch.setenv("CYME_QUEUES", "{")
    consume_declared(instance=SimpleNamespace(app=app))
    assert set(app.amqp.queues.consume_from) == {"plain"}

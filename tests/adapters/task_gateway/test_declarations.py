"""Queues are declared as their workers declare them."""

from __future__ import annotations

import gevent
import pytest
from kombu import Queue as Declaration

from cyme.core.model import Queue
from cyme.core.tasks import TaskState
from cyme.errors import BrokerRefused
from tests.adapters.task_gateway.ground import Gateway, Worker, celery_app, queue, running, unique
from tests.system.target import Target

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq, pytest.mark.redis]


def test_a_declared_queue_is_reached_and_consumed_from(
    gateway: Gateway, url: str, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> None:
    is_amqp = url.startswith("amqp")
    queues = [
        queue(unique("topic"), exchange=unique("x"), exchange_type="topic", routing_key="a.*"),
        queue(unique("fanout"), exchange=unique("x"), exchange_type="fanout"),
        queue(unique("direct"), exchange=unique("x"), routing_key="key"),
        queue(unique("options"), options={"max_priority": 5, "message_ttl": 60}),
    ]
    if is_amqp:
        arguments = {"binding_arguments": {"x-match": "all", "kind": "url"}}
        queues.append(
            queue(unique("h"), exchange=unique("x"), exchange_type="headers", options=arguments)
        )
        quorum = {"queue_arguments": {"x-queue-type": "quorum"}}
        queues.append(queue(unique("quorum"), options=quorum))
    with running(Worker(url, tmp_path_factory.mktemp("declared"), queues)):
        for to in queues:
            outcome = gateway.wait(gateway.send(to, target.url))
            assert outcome.state is TaskState.SUCCESS, to


@pytest.mark.parametrize("url", ["rabbitmq"], indirect=True, scope="module")
class TestOnRabbitMQ:
    def test_a_declaration_that_contradicts_what_exists_is_refused_in_the_brokers_words(
        self, gateway: Gateway, work: Queue, target: Target
    ) -> None:
        name = unique("twice")
        gateway.send(queue(name))
        with pytest.raises(BrokerRefused, match="x-max-priority"):
            gateway.send(queue(name, options={"max_priority": 3}))
        assert gateway.wait(gateway.send(work, target.url)).state is TaskState.SUCCESS

    def test_an_exchange_type_that_the_broker_lacks_is_refused(self, gateway: Gateway) -> None:
        with pytest.raises(BrokerRefused):
            gateway.send(queue(unique("odd"), exchange=unique("x"), exchange_type="x-odd"))

    @pytest.mark.parametrize(
        "options",
        [{"expires": 1e308}, {"queue_arguments": {"k" * 300: 1}}, {"message_ttl": "soon"}],
    )
    def test_what_cannot_be_written_for_the_broker_is_refused(
        self, gateway: Gateway, options: dict[str, object]
    ) -> None:
        with pytest.raises(BrokerRefused, match="Change its"):
            gateway.send(queue(unique("odd"), options=options))

    def test_a_queue_that_is_full_refuses(self, gateway: Gateway) -> None:
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        full = queue(unique("full"), options={"queue_arguments": arguments})
        gateway.send(full)
        with pytest.raises(BrokerRefused, match="full"):
            gateway.send(full)

    def test_a_queue_that_was_deleted_is_declared_again(
        self, gateway: Gateway, idle: Queue, url: str
    ) -> None:
        gateway.send(idle)
        with celery_app(url).connection_for_write() as connection:
            declaration = Declaration(idle.name, channel=connection.default_channel)
            declaration.delete()
            task_id = gateway.send(idle)
            message = declaration.get(no_ack=True)
        assert message is not None
        assert message.headers["id"] == task_id

    def test_what_no_queue_takes_is_refused(self, gateway: Gateway) -> None:
        lost = queue(unique("lost"), options={"exclusive": True})
        with pytest.raises(BrokerRefused, match="No queue takes"):
            gateway.send(lost)

    def test_messages_and_queues_survive_the_broker(
        self, gateway: Gateway, idle: Queue, url: str
    ) -> None:
        gateway.send(idle)
        with celery_app(url).connection_for_read() as connection:
            message = Declaration(idle.name, channel=connection.default_channel).get(no_ack=True)
        assert message is not None
        assert message.properties["delivery_mode"] == 2

    def test_many_send_at_once(self, gateway: Gateway, idle: Queue, url: str) -> None:
        gevent.joinall([gevent.spawn(gateway.send, idle) for _ in range(50)], raise_error=True)
        with celery_app(url).connection_for_read() as connection:
            declaration = Declaration(idle.name, channel=connection.default_channel)
            assert declaration.queue_declare(passive=True).message_count == 50

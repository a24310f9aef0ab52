from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.launch import (
    WorkerDefaults,
    effective_spec,
    launch_of,
    pool_of,
    result_backend_of,
)
from cyme.core.model import Broker, Instance, Queue, WorkerSpec
from cyme.core.workers import Launch
from cyme.errors import InvalidRequest
from tests.core import records

EMBEDDED = Broker("redis://:hush@127.0.0.1:7000/0")
RESULTS = "redis://:hush@127.0.0.1:7000/1"
DEFAULTS = WorkerDefaults(
    branch="b1",
    directory="/var/cyme",
    python="/venv/bin/python",
    default_broker=EMBEDDED,
    default_result_backend=RESULTS,
)


def _launch(
    instance: Instance | None = None,
    *queues: Queue,
    defaults: WorkerDefaults = DEFAULTS,
    **spec: Any,
) -> Launch:
    instance = instance if instance is not None else records.instance(**spec)
    effective = effective_spec(instance, records.app(), defaults.default_broker)
    return launch_of(instance, effective, queues, defaults)


def test_an_application_of_the_users_keeps_its_results_where_it_says() -> None:
    env = _launch(celery_app="shop").env
    assert "CELERY_RESULT_BACKEND" not in env
    assert env["CYME_RESULT_BACKEND"] == "rpc://"
    named = _launch(celery_app="shop", result_backend="redis://r/1").env
    assert named["CELERY_RESULT_BACKEND"] == "redis://r/1"


def test_a_worker_is_started_as_cyme_starts_workers() -> None:
    launch = _launch()
    assert launch.node == "w1@b1"
    assert launch.python == "/venv/bin/python"
    assert launch.options == (
        ("-A", "cyme.tasks"),
        ("--pidfile", "/var/cyme/w1/worker.pid"),
        ("--logfile", "/var/cyme/w1/worker.log"),
        ("--statedb", "/var/cyme/w1/worker.state"),
        ("-Q", "dq.w1"),
        ("-P", "processes"),
        ("--autoscale", "1,1"),
        ("--loglevel", "INFO"),
        ("-E", None),
        ("--without-mingle", None),
        ("--without-gossip", None),
        ("--heartbeat-interval", "60"),
    )
    assert launch.config == (
        ("broker_connection_retry_on_startup", "(bool)true"),
        ("broker_connection_max_retries", "(json)null"),
        ("worker_enable_remote_control", "(bool)true"),
        ("control_exchange", "celery"),
        ("task_create_missing_queues", "(bool)true"),
    )
    assert launch.env == {
        "CELERY_BROKER_URL": records.BROKER.url,
        "CELERY_RESULT_BACKEND": "rpc://",
        "CYME_RESULT_BACKEND": "rpc://",
    }
    assert launch.needs_own_app
    assert launch.workdir is None


def test_a_worker_tells_of_its_tasks_unless_the_branch_is_told_otherwise() -> None:
    silent = replace(DEFAULTS, task_events=False)
    assert ("-E", None) in _launch().options
    assert ("-E", None) not in _launch(defaults=silent).options


@pytest.mark.parametrize("spelling", ["-E", "--task-events", "--events"])
def test_who_asks_for_events_gets_them_once(spelling: str) -> None:
    silent = replace(DEFAULTS, task_events=False)
    for defaults in (DEFAULTS, silent):
        options = [name for name, _ in _launch(defaults=defaults, arguments=spelling).options]
        assert options.count("-E") == 1
        assert "--task-events" not in options


def test_a_setting_of_the_user_decides_about_events_not_the_option() -> None:
    launch = _launch(extra_config="worker_send_task_events=false")
    assert ("-E", None) not in launch.options
    assert dict(launch.config)["worker_send_task_events"] == "(bool)false"


def test_an_application_of_the_user_includes_the_task_of_cyme() -> None:
    launch = _launch(celery_app="proj:app", workdir="/srv", python="/opt/python")
    assert dict(launch.options)["-A"] == "proj:app"
    assert dict(launch.options)["--include"] == "cyme.tasks"
    assert (launch.workdir, launch.python, launch.needs_own_app) == ("/srv", "/opt/python", False)


def test_modules_that_the_user_includes_are_kept() -> None:
    launch = _launch(celery_app="proj", arguments="--include a,b")
    assert dict(launch.options)["--include"] == "a,b,cyme.tasks"
    assert dict(_launch(arguments="-I a").options)["--include"] == "a"


def test_arguments_of_the_user_override_the_defaults_of_cyme() -> None:
    launch = _launch(
        arguments="-l DEBUG --heartbeat-interval=5 --time-limit 3",
        extra_config="broker_connection_max_retries=7 task_acks_late=1",
    )
    options = dict(launch.options)
    assert (options["--loglevel"], options["--heartbeat-interval"]) == ("DEBUG", "5")
    assert options["--time-limit"] == "3"
    assert len(options) == len(launch.options)
    assert dict(launch.config)["broker_connection_max_retries"] == "(int)7"
    assert dict(launch.config)["task_acks_late"] == "(bool)true"


def test_plain_queues_are_named_and_others_are_handed_over() -> None:
    topic = records.queue("t", exchange_type="topic", routing_key="a.#", options='{"expires": 5}')
    fanout = records.queue("f", exchange_type="fanout")
    launch = _launch(None, records.queue("plain"), topic, fanout)
    assert dict(launch.options)["-Q"] == "dq.w1,plain"
    assert json.loads(launch.env["CYME_QUEUES"]) == [
        {
            "name": "t",
            "exchange": None,
            "exchange_type": "topic",
            "routing_key": "a.#",
            "options": {"expires": 5},
        },
        {
            "name": "f",
            "exchange": None,
            "exchange_type": "fanout",
            "routing_key": None,
            "options": None,
        },
    ]


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        ({"min_concurrency": 2, "max_concurrency": 5}, ("--autoscale", "5,2")),
        ({"pool": "gevent", "max_concurrency": 50}, ("--autoscale", "50,1")),
        ({"pool": "threads", "max_concurrency": 5}, ("--concurrency", "5")),
        ({"pool": "solo"}, ("--concurrency", "1")),
    ],
)
def test_only_pools_that_can_are_told_to_autoscale(
    spec: dict[str, Any], option: tuple[str, str]
) -> None:
    launch = _launch(**spec)
    assert option in launch.options
    assert {"--autoscale", "--concurrency"} - {option[0]} == (
        {"--autoscale", "--concurrency"} - dict(launch.options).keys()
    )


def test_no_secret_is_on_the_command_line() -> None:
    app = records.app(result_backend="redis://:hush2@h")
    instance = records.instance(env=(("KEY", "hush3"),))
    launch = launch_of(instance, effective_spec(instance, app, None), (), DEFAULTS)
    for secret in ("secret", "hush2", "hush3"):
        assert secret not in repr((launch.options, launch.config))
        assert secret in repr(dict(launch.env))


def test_variables_of_cyme_win_over_those_of_the_user() -> None:
    launch = _launch(env=(("CELERY_BROKER_URL", "amqp://else"), ("KEY", "1")))
    assert launch.env["CELERY_BROKER_URL"] == records.BROKER.url
    assert launch.env["KEY"] == "1"
    defaults = replace(DEFAULTS, webhook_allow=("10.0.0.0/8", "loopback"))
    assert _launch(defaults=defaults).env["CYME_WEBHOOK_ALLOW"] == "10.0.0.0/8,loopback"


def test_what_was_acceptable_once_is_checked_again() -> None:
    with pytest.raises(InvalidRequest):
        _launch(arguments="--odd")


# --- where results go ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "backend"),
    [
        (WorkerSpec(broker=EMBEDDED), RESULTS),
        (WorkerSpec(broker=EMBEDDED, result_backend="redis://r"), "redis://r"),
        (WorkerSpec(broker=Broker("redis://h/4")), "redis://h/4"),
        (WorkerSpec(broker=Broker("sentinel://h")), "sentinel://h"),
        (WorkerSpec(broker=Broker("amqp://h")), None),
        (WorkerSpec(), None),
    ],
)
def test_results_go_where_the_spec_or_the_broker_says(
    spec: WorkerSpec, backend: str | None
) -> None:
    assert result_backend_of(spec, EMBEDDED, RESULTS) == backend


def test_a_default_broker_of_the_user_keeps_results_as_any_other_does() -> None:
    assert result_backend_of(WorkerSpec(broker=EMBEDDED), EMBEDDED, None) == EMBEDDED.url
    rabbit = Broker("amqp://h")
    assert result_backend_of(WorkerSpec(broker=rabbit), rabbit, None) is None


def test_an_instance_without_a_broker_gets_no_variable_for_it() -> None:
    instance = records.instance()
    launch = launch_of(instance, WorkerSpec(max_concurrency=1), (), DEFAULTS)
    assert "CELERY_BROKER_URL" not in launch.env


# --- the effective spec --------------------------------------------------------------------------


def test_an_instance_stands_over_its_app_over_the_defaults() -> None:
    app = records.app(pool="gevent", max_concurrency=7)
    spec = effective_spec(records.instance(max_concurrency=9), app, EMBEDDED)
    assert (spec.pool, spec.max_concurrency, spec.min_concurrency) == ("gevent", 9, 1)
    assert spec.broker == records.BROKER
    assert spec.is_enabled is True


def test_what_has_no_app_runs_on_the_default_broker() -> None:
    assert effective_spec(records.instance(), None, EMBEDDED).broker == EMBEDDED
    assert effective_spec(None, None, EMBEDDED).pool == "prefork"


@pytest.mark.parametrize(
    ("given_limits", "effective"),
    [
        ({}, (1, 1)),
        ({"max_concurrency": 4}, (1, 4)),
        ({"min_concurrency": 3}, (3, 3)),
        ({"pool": "threads", "max_concurrency": 4}, (4, 4)),
    ],
)
def test_a_limit_that_nobody_named_follows_the_other(
    given_limits: dict[str, Any], effective: tuple[int, int]
) -> None:
    spec = effective_spec(records.instance(**given_limits), records.app(), None)
    assert (spec.min_concurrency, spec.max_concurrency) == effective


def test_a_pool_that_nobody_knows_is_taken_for_the_usual_one() -> None:
    assert pool_of(WorkerSpec(pool="odd")).name == "prefork"


# --- the digest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        {"pool": "gevent"},
        {"arguments": "--time-limit 3"},
        {"extra_config": "task_acks_late=1"},
        {"celery_app": "proj"},
        {"workdir": "/srv"},
        {"python": "/opt/python"},
        {"env": (("A", "1"),)},
        {"broker": EMBEDDED},
        {"result_backend": "redis://h"},
    ],
)
def test_what_a_running_worker_cannot_be_told_changes_the_digest(spec: dict[str, Any]) -> None:
    assert _launch(**spec).digest != _launch().digest


def test_limits_change_the_digest_only_where_the_pool_cannot_change() -> None:
    assert _launch(max_concurrency=4).digest == _launch().digest
    few = _launch(pool="threads", max_concurrency=2)
    assert few.digest != _launch(pool="threads", max_concurrency=4).digest


def test_labels_do_not_change_the_digest() -> None:
    labelled = _launch(labels=(("zone", "a"),))
    assert labelled == _launch()


def test_a_declaration_that_cannot_be_read_is_told_by_the_name_of_its_queue() -> None:
    broken = records.queue("t", exchange_type="topic", options="{no JSON")
    with pytest.raises(InvalidRequest, match="of the queue 't' are no JSON"):
        _launch(None, broken)


def test_queues_do_not_change_the_digest() -> None:
    topic = records.queue("t", exchange_type="topic")
    assert _launch(None, records.queue(), topic).digest == _launch().digest


def test_what_the_branch_chose_for_itself_does_not_change_the_digest() -> None:
    moved = replace(DEFAULTS, directory="/elsewhere", loglevel="DEBUG", python="/other/python")
    assert _launch(defaults=moved).digest == _launch().digest
    safer = replace(DEFAULTS, webhook_allow=("private",))
    assert _launch(defaults=safer).digest != _launch().digest


@given(st.permutations([("A", "1"), ("B", "2"), ("C", "3")]))
def test_the_digest_does_not_depend_on_the_order_of_variables(
    env: list[tuple[str, str]],
) -> None:
    assert _launch(env=tuple(env)).digest == _launch(env=tuple(sorted(env))).digest

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.worker_settings import (
    EXTRA_CONFIG_CHARS_MAX,
    SETTINGS,
    Settings,
    read_settings,
)
from cyme.errors import InvalidRequest


def _refusal(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_settings(text)
    (fault,) = caught.value.faults
    assert fault.parameter == "extra_config"
    return fault.detail


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("worker_prefetch_multiplier=2", (("worker_prefetch_multiplier", "(int)2"),)),
        (".prefetch_multiplier=2", (("worker_prefetch_multiplier", "(int)2"),)),
        ("worker.prefetch_multiplier=(int)2", (("worker_prefetch_multiplier", "(int)2"),)),
        ("TASK_ACKS_LATE=yes", (("task_acks_late", "(bool)true"),)),
        ("task_acks_late=False", (("task_acks_late", "(bool)false"),)),
        ("task_time_limit=1.5", (("task_time_limit", "(float)1.5"),)),
        ("broker_connection_max_retries=None", (("broker_connection_max_retries", "(json)null"),)),
        ("result_expires=null", (("result_expires", "(json)null"),)),
        (
            "worker_log_format='%(message)s (x)'",
            (("worker_log_format", "(string)%(message)s (x)"),),
        ),
        ("task_default_rate_limit=10/m", (("task_default_rate_limit", "(string)10/m"),)),
        ("task_time_limit=1 task_time_limit=2", (("task_time_limit", "(float)2"),)),
    ],
)
def test_writes_each_setting_with_the_type_it_was_checked_for(
    text: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    assert read_settings(text) == Settings(pairs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("broker_url=amqp://me:hush@h//", "use the parameter broker instead"),
        ("result_backend=redis://:hush@h", "use the parameter result_backend instead"),
        ("worker_concurrency=3", "max_concurrency"),
        ("timezone=Europe/Oslo", "set it in the application"),
        ("s3_secret_access_key=hush", "may hold a secret"),
        ("security_key_password=hush", "may hold a secret"),
        ("task_ack_late=1", "did you mean task_acks_late?"),
        ("wholly.unknown=1", "is not a Celery setting"),
        ("task_acks_late", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("task_acks_late=maybe", "true or false"),
        ("worker_prefetch_multiplier=many", "a whole number"),
        ("task_time_limit=-1", "a number"),
        ("task_serializer=pickle", "one of json, msgpack, yaml"),
        ("task_routes='{'", "a JSON value"),
        ("task_routes=" + "[" * 3000, "a JSON value"),
        ('broker_transport_options=\'{"password": "hush"}\'', "seems to hold a secret"),
        ("'", "check its quotes"),
        ("a=b\nc=d", "line break"),
        ("a=b " * EXTRA_CONFIG_CHARS_MAX, "at most"),
    ],
)
def test_refuses_what_cannot_be_given_here_and_says_what_to_do(text: str, told: str) -> None:
    assert told in _refusal(text)


def test_tells_which_settings_only_an_administrator_may_give() -> None:
    settings = read_settings(
        'accept_content=\'["json", "pickle"]\' task_acks_late=1 '
        "worker_consumer=a:B worker_consumer=c:D"
    )
    assert settings.admin_only == ("accept_content", "worker_consumer")
    assert dict(settings.pairs)["accept_content"] == '(json)["json", "pickle"]'
    assert dict(settings.pairs)["worker_consumer"] == "(string)c:D"


_names = st.sampled_from([*SETTINGS, "broker_url", "x_password", "timezone", ".pool", "a.b"])


@given(st.lists(st.tuples(_names, st.text(max_size=20))))
def test_refuses_or_accepts_anything(pairs: list[tuple[str, str]]) -> None:
    text = shlex.join(f"{name}={value}" for name, value in pairs)
    try:
        settings = read_settings(text)
    except InvalidRequest:
        return
    assert all(name in SETTINGS for name, _ in settings.pairs)


@given(st.text(max_size=100))
def test_refuses_or_accepts_any_text(text: str) -> None:
    try:
        read_settings(text)
    except InvalidRequest:
        return

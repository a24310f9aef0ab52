"""The tables of worker options and settings agree with the Celery that is installed."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from celery.bin.celery import celery as group
from celery.bin.worker import worker
from celery.concurrency import get_available_pool_names
from celery.loaders.base import BaseLoader

from cyme.core import worker_settings
from cyme.core.pools import POOLS
from cyme.core.worker_options import OPTIONS, Kind
from cyme.core.worker_settings import SETTINGS, read_settings
from cyme.errors import InvalidRequest

_CELERYS = dict(flatten(NAMESPACES))

#: Settings of result backends, which an application of the user has to make itself.
_OF_BACKENDS = (
    "arangodb_",
    "azureblockblob_",
    "cassandra_",
    "cosmosdbsql_",
    "couchbase_",
    "gcs_",
    "mongodb_",
    "s3_",
    "redis_backend_use_ssl",
    "security_",
    "broker_native_delayed_delivery_queue_type",
    "database_engine_callback",
    "result_exchange_type",
)


def test_every_option_of_celery_worker_is_accounted_for() -> None:
    ours = {name: option for option in OPTIONS for name in option.names}
    for parameter in [*worker.params, *group.params]:
        for name in (*parameter.opts, *parameter.secondary_opts):
            assert name in ours, f"{name} is not accounted for"
            is_flag = getattr(parameter, "is_flag", False)
            if name not in ("--version", "--help"):
                assert (ours[name].kind is Kind.FLAG) == is_flag, name
            assert set(parameter.opts) & set(ours[name].names) == set(parameter.opts)


def test_every_setting_of_celery_is_accounted_for() -> None:
    for name in _CELERYS:
        if name in SETTINGS or name.startswith(_OF_BACKENDS):
            continue
        with pytest.raises(InvalidRequest, match=r"cannot be given here|may hold a secret"):
            read_settings(f"{name}=1")


def test_every_setting_that_is_offered_exists_and_is_of_its_kind() -> None:
    kinds = {
        "bool": {Kind.BOOLEAN},
        "int": {Kind.INTEGER, Kind.NUMBER},
        "float": {Kind.NUMBER, Kind.INTEGER},
        "dict": {Kind.JSON},
        "list": {Kind.JSON},
        "any": {Kind.JSON},
        "string": {Kind.TEXT, Kind.CHOICE, Kind.INTEGER},
        "str": {Kind.CHOICE},
    }
    for name, option in SETTINGS.items():
        theirs = _CELERYS[name].type
        kind = theirs if isinstance(theirs, str) else theirs.__name__
        assert option.kind in kinds[kind], name
    assert worker_settings.SETTINGS.keys() <= _CELERYS.keys()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("worker_prefetch_multiplier=2", "worker_prefetch_multiplier", 2),
        ("broker_connection_max_retries=none", "broker_connection_max_retries", None),
        ("task_acks_late=yes", "task_acks_late", True),
        ("task_acks_late=off", "task_acks_late", False),
        ("enable_utc=false", "enable_utc", False),
        ("result_expires=1.5", "result_expires", 1.5),
        ("result_compression=gzip", "result_compression", "gzip"),
        ("worker_log_format='(int)%(message)s'", "worker_log_format", "%(message)s"),
        ("accept_content='[\"json\"]'", "accept_content", ["json"]),
        ('task_routes=\'{"a.*": {"queue": "q"}}\'', "task_routes", {"a.*": {"queue": "q"}}),
    ],
)
def test_celery_reads_the_settings_as_they_are_meant(text: str, name: str, value: Any) -> None:
    words = [f"{key}={typed}" for key, typed in read_settings(text).pairs]
    read = BaseLoader(app=Celery(set_as_current=False)).cmdline_config_parser(words, "worker")
    assert read == {name: value}


def test_every_pool_is_one_of_celerys() -> None:
    assert {pool.option for pool in POOLS.values()} <= set(get_available_pool_names())

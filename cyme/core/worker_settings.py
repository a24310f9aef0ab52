"""Celery settings that a user may give in ``extra_config``.

They travel on the worker's command line, which everybody on the machine can read, so nothing
that may hold a secret is taken. The list is closed, as that of the options. Each value is
written with the type that it was checked for, because Celery would otherwise guess. Read from
Celery 5.7's ``celery.app.defaults`` and ``celery.loaders.base``.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from cyme.core.access import Role
from cyme.core.worker_options import Kind, Option, checked_value, suggestion
from cyme.errors import InvalidRequest

PARAMETER = "extra_config"

#: Characters of ``extra_config`` at most.
EXTRA_CONFIG_CHARS_MAX = 8192


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``extra_config`` says.

    Attributes:
        pairs: Names and values as Celery reads them behind ``--``, each name once, in order.
        admin_only: Those that only an administrator may give.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    admin_only: tuple[str, ...] = ()


_SAFE: dict[Kind, str] = {
    Kind.INTEGER: """
        beat_cron_starting_deadline beat_sync_every broker_connection_max_retries
        broker_heartbeat broker_pool_limit elasticsearch_max_retries redis_max_connections
        result_backend_base_sleep_between_retries_ms result_backend_max_retries
        result_backend_max_sleep_between_retries_ms result_cache_max task_default_priority
        task_protocol task_queue_max_priority task_repr_maxlevels worker_eta_task_limit
        worker_max_memory_per_child worker_max_tasks_per_child worker_prefetch_multiplier
    """,
    Kind.NUMBER: """
        beat_max_loop_interval beat_remote_control_max_tick_age broker_connection_timeout
        broker_heartbeat_checkrate broker_pool_acquire_timeout control_queue_expires
        control_queue_ttl elasticsearch_timeout event_queue_expires event_queue_ttl
        redis_socket_connect_timeout redis_socket_timeout result_chord_expires
        result_chord_join_timeout result_chord_retry_interval result_expires
        result_failure_expires task_soft_time_limit task_time_limit worker_lost_wait
        worker_proc_alive_timeout worker_soft_shutdown_timeout worker_timer_precision
    """,
    Kind.BOOLEAN: """
        broker_channel_error_retry broker_connection_retry broker_connection_retry_on_startup
        control_queue_durable control_queue_exclusive database_create_tables_at_setup
        database_short_lived_sessions elasticsearch_retry_on_timeout
        elasticsearch_save_meta_as_text enable_utc event_queue_durable event_queue_exclusive
        redis_retry_on_timeout redis_socket_keepalive result_backend_always_retry
        result_extended result_persistent task_acks_late task_acks_on_failure
        task_acks_on_failure_or_timeout task_acks_on_timeout
        task_allow_error_cb_on_chord_header task_always_eager task_create_missing_queues
        task_eager_propagates task_ignore_result task_inherit_parent_priority
        task_publish_retry task_reject_on_worker_lost task_remote_tracebacks
        task_retry_on_worker_lost task_send_sent_event task_store_eager_result
        task_store_errors_even_if_ignored task_track_started
        worker_cancel_long_running_tasks_on_connection_loss
        worker_deduplicate_successful_tasks worker_detect_quorum_queues
        worker_disable_prefetch worker_disable_rate_limits
        worker_enable_prefetch_count_reduction worker_enable_soft_shutdown_on_idle
        worker_hijack_root_logger worker_log_color worker_pool_putlocks
        worker_redirect_stdouts worker_send_task_events
    """,
    Kind.TEXT: """
        event_exchange event_queue_prefix result_exchange
        task_create_missing_queue_exchange_type task_create_missing_queue_type
        task_default_exchange task_default_exchange_type task_default_queue
        task_default_queue_type task_default_rate_limit task_default_routing_key
        worker_log_datefmt worker_log_format worker_task_log_datefmt worker_task_log_format
    """,
}

_CHOICES = {
    "event_serializer": ("json", "msgpack", "yaml"),
    "result_serializer": ("json", "msgpack", "yaml"),
    "task_serializer": ("json", "msgpack", "yaml"),
    "result_compression": ("gzip", "bzip2", "zstd", "brotli", "lzma"),
    "task_compression": ("gzip", "bzip2", "zstd", "brotli", "lzma"),
    "task_default_delivery_mode": ("1", "2", "transient", "persistent"),
    "worker_pool_start_method": ("fork", "spawn"),
    "worker_redirect_stdouts_level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
}

# These name code or files, let messages carry code, or are structures that can do either.
_ADMIN: dict[Kind, str] = {
    Kind.JSON: """
        accept_content beat_schedule broker_transport_options cache_backend_options
        database_engine_options database_table_names database_table_schemas
        result_accept_content result_backend_transport_options task_annotations
        task_publish_retry_policy task_routes
    """,
    Kind.BOOLEAN: "beat_enable_remote_control worker_pool_restarts",
    Kind.TEXT: """
        beat_schedule_filename beat_scheduler broker_failover_strategy broker_login_method
        worker_agent worker_autoscaler worker_consumer worker_timer
    """,
}

_USE = "use the parameter {} instead"
_OWN_APP = "Celery cannot take it from a command line; set it in the application of celery_app"

#: Settings that are given in another way, and how.
_MANAGED = {
    "broker_url": _USE.format("broker"),
    "broker_read_url": _USE.format("broker"),
    "broker_write_url": _USE.format("broker"),
    "broker_transport": _USE.format("broker"),
    "broker_host": _USE.format("broker"),
    "broker_port": _USE.format("broker"),
    "broker_user": _USE.format("broker"),
    "broker_password": _USE.format("broker"),
    "broker_vhost": _USE.format("broker"),
    "broker_use_ssl": "use a broker whose URL begins with amqps:// or rediss:// instead",
    "result_backend": _USE.format("result_backend"),
    "database_url": _USE.format("result_backend"),
    "cache_backend": _USE.format("result_backend"),
    "redis_host": _USE.format("result_backend"),
    "redis_port": _USE.format("result_backend"),
    "redis_db": _USE.format("result_backend"),
    "redis_username": _USE.format("result_backend"),
    "redis_password": _USE.format("result_backend"),
    "worker_concurrency": _USE.format("max_concurrency"),
    "worker_pool": _USE.format("pool"),
    "worker_state_db": "Cyme sets it for every instance",
    "worker_enable_remote_control": "Cyme speaks to its workers by remote control",
    "control_exchange": "Cyme speaks to its workers by it",
    "worker_direct": "every instance has its direct queue, dq.<name>, already",
    "task_queues": "declare the queues in the app instead",
    "imports": "use --include in the parameter arguments instead",
    "include": "use --include in the parameter arguments instead",
    "timezone": _OWN_APP,
}


def _table() -> dict[str, Option]:
    table = {}
    for role, kinds in ((Role.OPERATOR, _SAFE), (Role.ADMIN, _ADMIN)):
        for kind, names in kinds.items():
            for name in names.split():
                table[name] = Option(names=(name,), kind=kind, role=role)
    for name, choices in _CHOICES.items():
        table[name] = Option(names=(name,), kind=Kind.CHOICE, choices=choices)
    return table


SETTINGS = _table()

_SECRET = re.compile(r"passw|secret|token|credential|_key\b|_key_|_url\b|auth|username|dsn")
_CAST = re.compile(r"\((?:string|int|float|bool|json|dict|list|tuple|any)\)")
_NOTHING = frozenset({"none", "null"})
_BOOLEANS = {"true": "true", "1": "true", "yes": "true", "on": "true"} | {
    "false": "false",
    "0": "false",
    "no": "false",
    "off": "false",
}


def read_settings(text: str) -> Settings:
    """Read the settings in ``text``.

    Args:
        text: ``key=value`` separated by spaces; a value with spaces is quoted as for a POSIX
            shell. A key may use a dot for its first underscore, or begin with a dot for
            ``worker_``, as Celery has it.

    Raises:
        InvalidRequest: It holds something else, a setting that cannot be given here, or a
            bad value.
    """
    if len(text) > EXTRA_CONFIG_CHARS_MAX:
        raise _fault(f"has {len(text)} characters; at most {EXTRA_CONFIG_CHARS_MAX} are allowed")
    if not text.isprintable():
        raise _fault("holds a control character or a line break; write it in one line")
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise _fault(f"cannot be split into settings ({exc}); check its quotes") from exc
    pairs: dict[str, str] = {}
    admin_only: list[str] = []
    for word in words:
        option, value = _setting(word)
        name = option.names[0]
        pairs[name] = value
        if option.role is Role.ADMIN and name not in admin_only:
            admin_only.append(name)
    return Settings(tuple(pairs.items()), tuple(admin_only))


def _setting(word: str) -> tuple[Option, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise _fault(f"{word!r} is not of the form key=value")
    name = key.lower().replace(".", "_")
    name = f"worker{name}" if name.startswith("_") else name
    option = _known(name)
    return option, _typed(option, _CAST.sub("", value, count=1) if value[:1] == "(" else value)


def _known(name: str) -> Option:
    if name in SETTINGS:
        return SETTINGS[name]
    if name in _MANAGED:
        raise _fault(f"{name} cannot be given here: {_MANAGED[name]}")
    if _SECRET.search(name):
        raise _fault(
            f"{name} may hold a secret, and everybody on the machine can read a command line: "
            "read it from env in the application of celery_app"
        )
    raise _fault(
        f"{name} is not a Celery setting that can be given here{suggestion(name, SETTINGS)}"
    )


def _typed(option: Option, value: str) -> str:
    """Return the value as Celery's command line takes it, with its type in front."""
    name = option.names[0]
    if option.kind in (Kind.INTEGER, Kind.NUMBER) and value.lower() in _NOTHING:
        return "(json)null"
    match option.kind:
        case Kind.JSON:
            return f"(json){_checked_json(name, value)}"
        case Kind.BOOLEAN:
            if value.lower() not in _BOOLEANS:
                raise _fault(f"{name} takes true or false, not {value!r}")
            return f"(bool){_BOOLEANS[value.lower()]}"
        case Kind.INTEGER:
            return f"(int){checked_value(PARAMETER, name, value, option)}"
        case Kind.NUMBER:
            return f"(float){checked_value(PARAMETER, name, value, option)}"
        case _:
            return f"(string){checked_value(PARAMETER, name, value, option)}"


def _checked_json(name: str, value: str) -> str:
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError) as exc:
        raise _fault(f"{name} takes a JSON value in quotes, not {value!r}") from exc
    text = json.dumps(decoded)
    if _SECRET.search(text.lower()):
        raise _fault(
            f"the value of {name} seems to hold a secret, and everybody on the machine can read "
            "a command line: set it in the application of celery_app"
        )
    return text


def _fault(detail: str) -> InvalidRequest:
    return InvalidRequest.of(PARAMETER, detail)

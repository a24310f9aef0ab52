"""Result backends of Celery, asked for JSON.

Laws:

* nothing is unpickled: a backend that can hold results in no other form is not asked;
* keys, addresses and options are those of Celery's own backend classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery
from celery.backends import base
from gevent.threadpool import ThreadPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from cyme.core.tasks import TaskState
from cyme.errors import NotSupported

REDIS_SCHEMES = frozenset({"redis", "rediss", "sentinel"})
#: Their rows, or their clients, hold pickled objects whatever the settings say.
PICKLING_SCHEMES = frozenset({"cache", "database", "db"})

REDIS_TIMEOUT_S = 2.0
#: Keys of one MGET at most.
KEYS_MAX = 200


def store_of(url: str) -> RedisStore | ForeignStore:
    """Return the store at the URL of a result backend.

    Raises:
        NotSupported: Results cannot be read from there.
    """
    scheme = url.partition("://")[0].partition("+")[0].lower()
    if scheme in PICKLING_SCHEMES:
        raise NotSupported(
            f"Results cannot be read from a result backend of the kind {scheme!r}: it keeps them "
            "in a form that runs code when it is read. Use redis:// or rpc:// as result_backend."
        )
    return RedisStore(url) if scheme in REDIS_SCHEMES else ForeignStore(url)


def _backend(url: str, **settings: object) -> Any:
    app = Celery("cyme.results", backend=url, set_as_current=False)
    app.conf.update(result_serializer="json", result_accept_content=["json"], **settings)
    return app.backend


class RedisStore:
    """Redis, Valkey, and what speaks their protocol: one connection, many keys in one question.

    Args:
        url: URL of the result backend.
    """

    interval_s_min = 0.02
    interval_s_max = 0.2

    def __init__(self, url: str) -> None:
        self.url = url
        self._backend: Any = None

    def look(self, task_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the JSON that is there of the tasks; raises what the client raises."""
        if self._backend is None:
            self._backend = _redis_backend(self.url)
        found: dict[str, bytes] = {}
        for start in range(0, len(task_ids), KEYS_MAX):
            some = task_ids[start : start + KEYS_MAX]
            keys = [self._backend.get_key_for_task(task_id) for task_id in some]
            values = self._backend.mget(keys)
            found.update(
                (task_id, _decompressed(value))
                for task_id, value in zip(some, values, strict=True)
                if value is not None
            )
        return found

    def close(self) -> None:
        """Disconnect; a later look connects again."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.client.connection_pool.disconnect()


def _redis_backend(url: str) -> Any:
    backend = _backend(
        url,
        redis_max_connections=1,
        redis_socket_timeout=REDIS_TIMEOUT_S,
        redis_socket_connect_timeout=REDIS_TIMEOUT_S,
    )
    # By itself the client would try again for longer than anybody waits. Once is enough for a
    # connection that has been lost since the last look.
    backend.connparams["retry"] = Retry(NoBackoff(), 1)
    return backend


def _decompressed(value: bytes) -> bytes:
    # Celery compresses results from version 5.7 on.
    decompress = getattr(base, "decompress_payload", bytes)
    return bytes(decompress(value))


class ForeignStore:
    """Any other backend, whose client may block: asked in one native thread, one by one.

    Args:
        url: URL of the result backend.
    """

    interval_s_min = 0.2
    interval_s_max = 2.0

    def __init__(self, url: str) -> None:
        self.url = url
        self._backend: Any = None
        self._thread: ThreadPool | None = None

    def look(self, task_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the JSON that is there of the tasks; raises what the client raises."""
        if self._thread is None:
            self._thread = ThreadPool(1)
        found: Mapping[str, bytes] = self._thread.apply(self._look, (task_ids,))
        return found

    def close(self) -> None:
        """Leave the client to the end of its thread, which comes with that of its last call."""
        thread, self._thread, self._backend = self._thread, None, None
        if thread is not None:
            thread.maxsize = 0

    def _look(self, task_ids: Sequence[str]) -> Mapping[str, bytes]:
        if self._backend is None:
            self._backend = _backend(self.url)
        metas = {task_id: self._backend.get_task_meta(task_id, cache=False) for task_id in task_ids}
        return {
            task_id: json.dumps(_with_plain_exception(meta), default=str).encode()
            for task_id, meta in metas.items()
            if meta.get("status") != TaskState.PENDING
        }


def _with_plain_exception(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a task's meta with an exception as Celery writes it in JSON."""
    result = meta.get("result")
    if not isinstance(result, BaseException):
        return meta
    exception = {
        "exc_type": type(result).__name__,
        "exc_message": [str(part) for part in result.args],
    }
    return {**meta, "result": exception}

"""Apps: what their instances have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cyme.client.info import Info
from cyme.client.instances import Instances
from cyme.client.models import (
    Configured,
    Member,
    conditions,
    mapping,
    maybe,
    moment,
    names,
)
from cyme.client.queues import Queues
from cyme.client.sections import Section
from cyme.client.tasks import Task, queue_url


class App(Configured):
    """An app: the defaults of its instances, its instances and its queues.

    Attributes:
        app: Its name, as ``name``.
    """

    kind = "App"

    broker: Member[Info | None] = Member(maybe, "Its broker: ``hostname``, ``port``, ``url``, ...")
    result_backend: Member[str | None] = Member(maybe, "Where results go.")
    pool: Member[str | None] = Member(maybe, "The pool of workers.")
    min_concurrency: Member[int | None] = Member(maybe, "The lower limit of the concurrency.")
    max_concurrency: Member[int | None] = Member(maybe, "The upper limit of the concurrency.")
    is_enabled: Member[bool | None] = Member(maybe, "Whether workers are to run.")
    arguments: Member[str | None] = Member(maybe, "Options of workers.")
    extra_config: Member[str | None] = Member(maybe, "Celery's settings for workers.")
    celery_app: Member[str | None] = Member(maybe, "Celery's own app, its ``-A``.")
    workdir: Member[str | None] = Member(maybe, "The directory that workers run in.")
    python: Member[str | None] = Member(maybe, "The interpreter that runs workers.")
    env: Member[Mapping[str, str]] = Member(mapping, "Environment variables of workers.")
    labels: Member[Mapping[str, str]] = Member(mapping, "What a branch must have.")
    instance_names: tuple[str, ...]
    created_at: Member[datetime | None] = Member(moment, "When it was created.")
    updated_at: Member[datetime | None] = Member(moment, "When it was changed.")
    version: Member[int] = Member(maybe, "How often it was changed.")

    @property
    def app(self) -> str:
        """Its name."""
        return self.name

    @property  # type: ignore[no-redef] # the member of the API is a section here
    def instance_names(self) -> tuple[str, ...]:
        """The names of its instances, as they were when it was read."""
        return names(self.member("instances"))

    @property
    def instances(self) -> Instances:
        """Its instances."""
        return Instances(self._calls, (self.name, "instances"))

    @property
    def queues(self) -> Queues:
        """Its queues."""
        return Queues(self._calls, (self.name, "queues"))

    def queue_url(self, queue: str, url: str, **options: Any) -> Task:
        """Queue a URL for a worker to request, and return the task.

        Args:
            queue: A declared queue, or ``dq.<instance>`` for one worker.
            url: The URL with its query; it reaches the worker as it is.
            options: ``method``, ``body``, ``content_type``, ``countdown_s``, ``eta``,
                ``expires``, ``priority``, ``retries``, ``timeout_s``.

        Raises:
            NotFound: There is no such queue.
            InvalidRequest: The URL or an option cannot be accepted.
        """
        return queue_url(self._calls, self.name, queue, url, **options)

    def task(self, uuid: str) -> Task:
        """Return a task by its id; nothing is asked yet."""
        return Task(self._calls, self.name, uuid)


class Apps(Section[App]):
    """The apps of a cluster."""

    model = App

    def add(
        self,
        name: str,
        broker: str | Mapping[str, Any] | None = None,
        arguments: str | None = None,
        extra_config: str | None = None,
        nowait: bool = False,
        *,
        must_be_new: bool = False,
        if_match: str | None = None,
        **options: Any,
    ) -> App:
        """Create an app, or change one, and return it.

        Args:
            name: Its name.
            broker: The URL of its broker, or the parts of one; the branch's default if None.
            arguments: Options of its workers.
            extra_config: Celery's settings for its workers, ``key=value``.
            nowait: Whether to return before it is done.
            must_be_new: Whether to refuse if there is one of this name.
            if_match: An entity tag; nothing is written if that is no longer its own.
            options: ``pool``, ``min_concurrency``, ``max_concurrency``, ``is_enabled``,
                ``celery_app``, ``workdir``, ``python``, ``env``, ``labels``, ``result_backend``.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            PreconditionFailed: A condition does not hold.
        """
        members = {
            "broker": broker,
            "arguments": arguments,
            "extra_config": extra_config,
            **options,
        }
        headers = conditions(if_match, must_be_new=must_be_new)
        return self._put(name, members, nowait=nowait, headers=headers)

    def __repr__(self) -> str:
        return "<Apps>"

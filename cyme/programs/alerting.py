"""What a branch was told of alerts, as its parts want it."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from cyme.adapters.alert_sender import HttpAlertSender
from cyme.core.model import Broker
from cyme.core.ports import Clock, Members
from cyme.core.vitals import QueueVitals
from cyme.errors import SettingsError
from cyme.runtime.alerts import AlertWatch, Outbox, Sources, Statuses, Thresholds, Views
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.settings import Settings, take_alert_secret

logger = logging.getLogger(__name__)

SECRET_BYTES_MIN = 16
_FILE_BYTES_MAX = 4_096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def alert_secret(settings: Settings) -> bytes | None:
    """Return the secret that alerts are signed with, from its file or else from the environment.

    Raises:
        SettingsError: It cannot be read, others can read it, or it is too short.
    """
    given = take_alert_secret()
    path = settings.alert_secret_file
    secret = given if path is None else _read(path.absolute())
    if secret is not None and len(secret) < SECRET_BYTES_MIN:
        raise SettingsError(
            f"The secret that alerts are signed with has less than {SECRET_BYTES_MIN} characters. "
            "Draw a longer one by chance: openssl rand -hex 32"
        )
    return secret


def alert_watch_of(
    settings: Settings,
    secret: bytes | None,
    *,
    replica: Replica,
    members: Members,
    supervisor: Statuses,
    brokers: Views,
    queues: Callable[[], Sequence[QueueVitals]],
    journal: Journal,
    clock: Clock,
    default_broker: Broker,
) -> AlertWatch:
    """Return what looks for trouble, and tells the targets that the settings name of it."""
    if settings.alert_urls and secret is None:
        logger.warning(
            "alerts are sent without a signature, and anybody could send such: name a secret with "
            "--alert-secret-file or CYME_ALERT_SECRET"
        )
    sources = Sources(
        replica=replica,
        members=members,
        supervisor=supervisor,
        brokers=brokers,
        queues=queues,
        clock=clock,
        default_broker=default_broker,
        thresholds=thresholds_of(settings),
    )
    outboxes = outboxes_of(settings, secret)
    return AlertWatch(sources, cluster=settings.cluster, journal=journal, outboxes=outboxes)


def thresholds_of(settings: Settings) -> Thresholds:
    """Return how many messages queues may hold."""
    given = dict(settings.alert_depths)
    default = given.pop(None, Thresholds().depth)
    return Thresholds(default, {queue: most for queue, most in given.items() if queue is not None})


def outboxes_of(settings: Settings, secret: bytes | None) -> list[Outbox]:
    """Return what brings alerts to each target."""
    return [Outbox(HttpAlertSender(url, secret=secret)) for url in settings.alert_urls]


def _read(path: Path) -> bytes:
    try:
        # Without waiting, should it be a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            content = file.read(_FILE_BYTES_MAX)
    except OSError as exc:
        raise SettingsError(
            f"--alert-secret-file: {path} cannot be read ({exc.strerror}). Name a file that this "
            "user can read, and nobody else."
        ) from exc
    if not stat.S_ISREG(mode) or mode & _OTHERS:
        raise SettingsError(
            f"--alert-secret-file: {path} is no file, or open to other users. Make it private: "
            f"chmod 600 {path}"
        )
    return content.strip()

"""Builds a branch and starts it in order; the only place that knows everybody.

The order: what can be refused is refused before anything runs, and nothing is promised over
HTTP before it can be kept. The address is bound first, so that clients wait for a branch that
starts instead of being turned away, and served last.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from cyme.adapters.celery_control import CeleryControls
from cyme.adapters.celery_events import CeleryEventListeners
from cyme.adapters.celery_multi.worker_logs import WorkerLogFiles
from cyme.adapters.clock import SystemClock
from cyme.adapters.database import Database
from cyme.adapters.directory import BranchDirectory
from cyme.adapters.event_log import FileEventLog
from cyme.adapters.queue_probe import KombuProbes
from cyme.adapters.task_gateway import CeleryTaskGateway
from cyme.adapters.tokens import TokenFile
from cyme.api.app import create_app
from cyme.api.server import HttpServer
from cyme.api.streaming.broadcaster import Broadcaster
from cyme.programs import logs
from cyme.programs.alerting import alert_secret, alert_watch_of
from cyme.programs.banner import Facts
from cyme.programs.binding import is_loopback, machine_names
from cyme.programs.broker_choice import DefaultBroker, choose, why_silent
from cyme.programs.caretaker import Caretaker
from cyme.programs.clustering import (
    Clustering,
    check,
    drain,
    load_of_machine,
    memory_of_process,
)
from cyme.programs.facts import facts_of, served_of, warnings_of
from cyme.programs.layout import BACKUPS_DIR, DATABASE_FILE, DETACHED_LOG_FILE, WORKERS_DIR
from cyme.programs.lifetimes import PART_STOP_TIMEOUT_S, Lifetimes
from cyme.programs.measuring import measures_of
from cyme.programs.registry import ADMIN_TOKEN_FILE
from cyme.programs.supervising import start_supervisor
from cyme.programs.token_commands import TOKENS_FILE
from cyme.runtime.alerts import AlertWatch
from cyme.runtime.brokers import Brokers
from cyme.runtime.chronicle import Chronicle
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.runtime.supervisor import Supervisor
from cyme.runtime.telemetry.queue_watch import QueueWatch
from cyme.settings import Loaded

logger = logging.getLogger(__name__)

HTTP_STOP_TIMEOUT_S = 5.0

#: Calls of other branches that are under way have so long to end, in seconds.
CALLS_STOP_TIMEOUT_S = 5.0

#: Alerts that wait have so long to arrive, in seconds.
ALERTS_STOP_TIMEOUT_S = 2.0

#: Handing all instances over may take so long, in seconds; the rest stays with this branch.
DRAIN_TIMEOUT_S = 600.0
DATABASE_CLOSE_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What all parts stand on.

    Attributes:
        branch_id: The id of the branch.
        directory: Its directory.
        log: Where it logs to, None for standard error.
        tokens: Its tokens.
        database: Where its records are kept.
        replica: Its records.
        default: The broker of apps that name none.
        journal: Where what happens is told.
    """

    branch_id: str
    directory: Path
    log: Path | None
    tokens: TokenFile
    database: Database
    replica: Replica
    default: DefaultBroker
    journal: Journal


@dataclass(frozen=True, slots=True)
class _Parts:
    """Those who do something, and who watches."""

    brokers: Brokers
    supervisor: Supervisor
    queues: QueueWatch
    alerts: AlertWatch
    service: Service


class Wiring:
    """A branch in the making.

    Args:
        loaded: What it was told.
        listening: Where it is to serve HTTP, or None.
        lifetimes: Takes every part that is started.
        on_halt: Ends the branch, if another one of its id has its place.
    """

    def __init__(
        self,
        loaded: Loaded,
        listening: socket.socket | None,
        lifetimes: Lifetimes,
        on_halt: Callable[[str], None],
    ) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self._listening = listening
        self._lifetimes = lifetimes
        self._on_halt = on_halt
        self._clock = SystemClock()
        self._warnings: list[str] = []

    def start(self) -> Facts:
        """Start all parts in order, and return what there is to say of them.

        Raises:
            StartupError: The branch cannot start.
            StopAsked: The program was asked to stop meanwhile.
        """
        check(self._settings)
        secret = alert_secret(self._settings)
        base = self._open_base()
        cluster = self._join_cluster(base)
        parts = self._make_parts(base, cluster, secret)
        self._look_at_broker(base.default, parts.brokers)
        self._lifetimes.step("finding other branches", cluster.wait_joined)
        self._begin_watching(parts)
        parts.service.resume_draining()
        self._start_http(base, parts, cluster)
        self._end_well(parts.service, cluster)
        warnings = [*self._warnings, *warnings_of(self._loaded, self._listening, cluster)]
        return facts_of(
            self._loaded,
            self._listening,
            branch_id=base.branch_id,
            directory=base.directory,
            log=base.log,
            default=base.default,
            replica=base.replica,
            cluster=cluster,
            warnings=warnings,
        )

    # --- what all stand on ----------------------------------------------------------------------

    def _open_base(self) -> _Base:
        directory, branch_id = self._open_directory()
        log = self._open_log(directory.path)
        tokens = self._open_tokens(directory.path)
        database = self._open_database(directory.path, branch_id)
        replica = Replica(database, self._clock, branch_id)
        self._lifetimes.step("reading the records", replica.load)
        caretaker = Caretaker(replica, database, self._clock)
        self._begin("", caretaker.start, partial(caretaker.stop, PART_STOP_TIMEOUT_S))
        return _Base(
            branch_id=branch_id,
            directory=directory.path,
            log=log,
            tokens=tokens,
            database=database,
            replica=replica,
            default=choose(self._loaded, replica, self._clock, self._lifetimes),
            journal=self._open_journal(directory.path, branch_id),
        )

    def _open_directory(self) -> tuple[BranchDirectory, str]:
        directory = BranchDirectory(self._settings.instance_dir.absolute())
        self._begin(f"opening the directory {directory.path}", directory.open, directory.close)
        return directory, directory.branch_id(self._settings.branch_id)

    def _open_log(self, directory: Path) -> Path | None:
        log = self._settings.logfile
        if log is None and self._settings.detach:
            log = directory / DETACHED_LOG_FILE
        if log is not None:
            log = log.absolute()
            logs.log_to_file(log)
        return log

    def _open_tokens(self, directory: Path) -> TokenFile:
        tokens = TokenFile(directory / TOKENS_FILE)
        if tokens.ensure_admin(directory / ADMIN_TOKEN_FILE):
            logger.info("wrote an administrator's token into %s", directory / ADMIN_TOKEN_FILE)
        return tokens

    def _open_database(self, directory: Path, branch_id: str) -> Database:
        url = self._settings.database or f"sqlite://{quote(str(directory / DATABASE_FILE))}"
        database = Database(url, branch_id=branch_id, backup_dir=directory / BACKUPS_DIR)
        self._begin(
            "opening the database",
            database.open,
            partial(database.close, DATABASE_CLOSE_TIMEOUT_S),
            end_title="closing the database",
        )
        return database

    def _open_journal(self, directory: Path, branch_id: str) -> Journal:
        journal = Journal(self._clock, branch_id)
        chronicle = Chronicle(journal, FileEventLog(directory), self._clock)
        self._begin(
            "reading what happened before",
            chronicle.start,
            partial(chronicle.stop, PART_STOP_TIMEOUT_S),
        )
        return journal

    # --- parts ----------------------------------------------------------------------------------

    def _join_cluster(self, base: _Base) -> Clustering:
        cluster = Clustering(
            self._settings,
            directory=base.directory,
            branch_id=base.branch_id,
            served=served_of(self._settings, self._listening, base.log),
            replica=base.replica,
            journal=base.journal,
            clock=self._clock,
            on_halt=self._on_halt,
        )
        self._begin(
            "joining the cluster", cluster.start, cluster.stop, end_title="leaving the cluster"
        )
        return cluster

    def _make_parts(self, base: _Base, cluster: Clustering, secret: bytes | None) -> _Parts:
        gateway = CeleryTaskGateway(base.branch_id, base.database, self._clock)
        self._begin("", gateway.start, partial(gateway.stop, PART_STOP_TIMEOUT_S))
        brokers = Brokers(
            CeleryControls(base.branch_id),
            self._clock,
            base.journal,
            interval_s=self._settings.sup_interval_s,
            stretch=cluster.stretch,
        )
        supervisor = start_supervisor(
            self._settings,
            self._lifetimes,
            replica=base.replica,
            brokers=brokers,
            journal=base.journal,
            cluster=cluster,
            clock=self._clock,
            branch_id=base.branch_id,
            directory=base.directory / WORKERS_DIR,
            default=base.default,
        )
        queues = QueueWatch(
            probes=KombuProbes(base.branch_id),
            replica=base.replica,
            members=cluster.members,
            clock=self._clock,
            default_broker=base.default.broker,
            state_of=lambda instance: service.standing(instance).status.state,
            ledgers=lambda: service.telemetry.ledgers(),  # noqa: PLW0108 - it is made below
        )
        alerts = alert_watch_of(
            self._settings,
            secret,
            replica=base.replica,
            members=cluster.members,
            supervisor=supervisor,
            brokers=brokers,
            queues=queues.known,
            journal=base.journal,
            clock=self._clock,
            default_broker=base.default.broker,
        )
        service = Service(
            replica=base.replica,
            supervisor=supervisor,
            brokers=brokers,
            tasks=gateway,
            journal=base.journal,
            members=cluster.members,
            clock=self._clock,
            default_broker=base.default.broker,
            default_result_backend=base.default.result_backend,
            load=load_of_machine,
            hub_lag_s=cluster.hub_lag_s,
            memory_bytes=memory_of_process,
            watching=queues,
            logs=WorkerLogFiles(base.directory / WORKERS_DIR),
            tokens=base.tokens,
            alerts=alerts.firing,
            event_listeners=CeleryEventListeners(base.branch_id),
        )
        self._lifetimes.at_end(partial(service.stop, PART_STOP_TIMEOUT_S))
        cluster.serve(service.perform)
        return _Parts(brokers, supervisor, queues, alerts, service)

    def _look_at_broker(self, default: DefaultBroker, brokers: Brokers) -> None:
        silent = self._lifetimes.step(
            "looking at the broker", partial(why_silent, brokers, default.broker, self._clock)
        )
        self._warnings += [each for each in (default.warning, silent) if each]

    def _begin_watching(self, parts: _Parts) -> None:
        telemetry, queues, alerts = parts.service.telemetry, parts.queues, parts.alerts
        self._begin("", telemetry.start, partial(telemetry.stop, PART_STOP_TIMEOUT_S))
        self._begin("", queues.start, partial(queues.stop, PART_STOP_TIMEOUT_S))
        self._begin("", alerts.start, partial(alerts.stop, ALERTS_STOP_TIMEOUT_S))

    def _start_http(self, base: _Base, parts: _Parts, cluster: Clustering) -> None:
        if self._listening is None:
            return
        settings = self._settings
        host, port = self._listening.getsockname()[:2]
        streams = Broadcaster(parts.service)
        self._lifetimes.at_end(partial(streams.stop, PART_STOP_TIMEOUT_S))
        app = create_app(
            parts.service,
            tokens=base.tokens,
            open_access=is_loopback(self._listening) and not settings.require_token,
            allowed_hosts=(*settings.allowed_hosts, settings.address.host, *machine_names()),
            streams=streams,
            measures=partial(
                measures_of,
                supervisor=parts.supervisor,
                brokers=parts.brokers,
                database=base.database,
                cluster=cluster,
            ),
        )
        server = HttpServer(
            app,
            (host, port),
            certificate=settings.tls_cert,
            key=settings.tls_key,
            listening=self._listening,
        )
        self._begin(
            "serving HTTP",
            server.start,
            partial(server.stop, HTTP_STOP_TIMEOUT_S),
            end_title="answering the last requests",
        )

    # --- life -----------------------------------------------------------------------------------

    def _end_well(self, service: Service, cluster: Clustering) -> None:
        """Have the branch take its leave before its parts are stopped."""
        self._lifetimes.at_end(partial(cluster.leave, CALLS_STOP_TIMEOUT_S))
        if self._settings.drain:
            self._lifetimes.at_end(
                partial(drain, service, DRAIN_TIMEOUT_S),
                "handing the instances over to other branches",
            )

    def _begin(
        self,
        title: str,
        begin: Callable[[], object],
        end: Callable[[], object],
        *,
        end_title: str = "",
    ) -> None:
        self._lifetimes.step(title, begin, end=end, end_title=end_title)

"""Builds a branch and starts it in order; the only place that knows everybody.

The order: what can be refused is refused before anything runs, and nothing is promised over
HTTP before it can be kept. The address is bound first, so that clients wait for a branch that
starts instead of being turned away, and served last.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from cyme.adapters.celery_control import CeleryControls
from cyme.adapters.celery_multi import CeleryMulti
from cyme.adapters.clock import SystemClock
from cyme.adapters.database import Database
from cyme.adapters.directory import BranchDirectory
from cyme.adapters.machine import LocalMachine
from cyme.adapters.task_gateway import CeleryTaskGateway
from cyme.adapters.tokens import TokenFile
from cyme.api.app import create_app
from cyme.api.server import HttpServer
from cyme.core.launch import WorkerDefaults
from cyme.core.model import masked
from cyme.core.restarts import RestartPolicy
from cyme.core.supervision import Policy
from cyme.programs import logs
from cyme.programs.banner import Facts
from cyme.programs.binding import is_loopback, machine_names, url_of
from cyme.programs.broker_choice import DefaultBroker, choose, why_silent
from cyme.programs.caretaker import Caretaker
from cyme.programs.clustering import Clustering, Served, check, drain, load_of_machine
from cyme.programs.lifetimes import Lifetimes
from cyme.programs.token_commands import TOKENS_FILE
from cyme.runtime.brokers import Brokers
from cyme.runtime.cluster.examiner import Examiner
from cyme.runtime.intents import RecordIntents
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.runtime.supervisor import Supervisor
from cyme.settings import Loaded, Settings, worker_environment

logger = logging.getLogger(__name__)

ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - the name of a file
DATABASE_FILE = "cyme.sqlite"
BACKUPS_DIR = "backups"
WORKERS_DIR = "workers"  # apart from the branch's own files, whose names an instance may have
DETACHED_LOG_FILE = "cyme-branch.log"

#: A worker that starts waits for its broker and for the supervisor's next question about half of
#: the time, so more of them than processors keep the processors busy.
STARTS_PER_PROCESSOR = 4

HTTP_STOP_TIMEOUT_S = 5.0
PART_STOP_TIMEOUT_S = 5.0

#: Calls of other branches that are under way have so long to end, in seconds.
CALLS_STOP_TIMEOUT_S = 5.0

#: Handing all instances over may take so long, in seconds; the rest stays with this branch.
DRAIN_TIMEOUT_S = 600.0
DATABASE_CLOSE_TIMEOUT_S = 15.0


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
        settings = self._settings
        check(settings)
        directory, branch_id = self._open_directory()
        log = self._open_log(directory.path)
        tokens = self._open_tokens(directory.path)
        database = self._open_database(directory.path, branch_id)
        replica = Replica(database, self._clock, branch_id)
        self._lifetimes.step("reading the records", replica.load)
        caretaker = Caretaker(replica, database, self._clock)
        self._begin("", caretaker.start, partial(caretaker.stop, PART_STOP_TIMEOUT_S))
        default = choose(self._loaded, replica, self._clock, self._lifetimes)
        journal = Journal(self._clock)
        cluster = self._join_cluster(directory.path, branch_id, log, replica, journal)
        gateway = CeleryTaskGateway(branch_id, database, self._clock)
        self._begin(
            "",
            gateway.start,
            partial(gateway.stop, PART_STOP_TIMEOUT_S),
        )
        brokers = Brokers(
            CeleryControls(branch_id),
            self._clock,
            journal,
            interval_s=settings.sup_interval_s,
            stretch=cluster.stretch,
        )
        supervisor = self._start_supervisor(
            replica=replica,
            brokers=brokers,
            journal=journal,
            cluster=cluster,
            branch_id=branch_id,
            directory=directory.path / WORKERS_DIR,
            default=default,
        )
        service = Service(
            replica=replica,
            supervisor=supervisor,
            brokers=brokers,
            tasks=gateway,
            journal=journal,
            members=cluster.members,
            clock=self._clock,
            default_broker=default.broker,
            default_result_backend=default.result_backend,
            load=load_of_machine,
            hub_lag_s=cluster.hub_lag_s,
        )
        self._begin("", _nothing, partial(service.stop, PART_STOP_TIMEOUT_S))
        cluster.serve(service.perform)
        silent = self._lifetimes.step(
            "looking at the broker", partial(why_silent, brokers, default.broker, self._clock)
        )
        self._warnings += [each for each in (default.warning, silent) if each]
        self._lifetimes.step("finding other branches", cluster.wait_joined)
        service.resume_draining()
        self._start_http(service, tokens)
        self._begin("", _nothing, partial(cluster.leave, CALLS_STOP_TIMEOUT_S))
        if settings.drain:
            self._begin(
                "",
                _nothing,
                partial(drain, service, DRAIN_TIMEOUT_S),
                end_title="handing the instances over to other branches",
            )
        return self._facts(branch_id, directory.path, log, default, replica, cluster)

    # --- parts ----------------------------------------------------------------------------------

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

    def _join_cluster(
        self,
        directory: Path,
        branch_id: str,
        log: Path | None,
        replica: Replica,
        journal: Journal,
    ) -> Clustering:
        cluster = Clustering(
            self._settings,
            directory=directory,
            branch_id=branch_id,
            served=self._served(log),
            replica=replica,
            journal=journal,
            clock=self._clock,
            on_halt=self._on_halt,
        )
        self._begin(
            "joining the cluster", cluster.start, cluster.stop, end_title="leaving the cluster"
        )
        return cluster

    def _start_supervisor(
        self,
        *,
        replica: Replica,
        brokers: Brokers,
        journal: Journal,
        cluster: Clustering,
        branch_id: str,
        directory: Path,
        default: DefaultBroker,
    ) -> Supervisor:
        settings = self._settings
        defaults = WorkerDefaults(
            branch=branch_id,
            directory=str(directory),
            python=sys.executable,
            loglevel=settings.loglevel,
            default_broker=default.broker,
            default_result_backend=default.result_backend,
            webhook_allow=settings.webhook_allow,
        )

        def has_ended(instance: str) -> None:
            supervisor.nudge(instance)

        workers = CeleryMulti(directory, environment=worker_environment(), on_exit=has_ended)
        intents = RecordIntents(replica, defaults, default.broker)
        supervisor = Supervisor(
            replica=replica,
            workers=workers,
            brokers=brokers,
            journal=journal,
            clock=self._clock,
            intents=intents,
            branch_id=branch_id,
            may_act=cluster.may_act,
            keeps=cluster.keeps,
            on_prepared=cluster.on_prepared,
            policy=policy_of(settings),
            parallel_starts=settings.parallel_starts or STARTS_PER_PROCESSOR * processors(),
        )
        supervisor.listen(cluster.on_status)
        cluster.attach(
            supervisor,
            Examiner(
                brokers=brokers,
                replica=replica,
                machine=LocalMachine(),
                defaults=defaults,
                default_broker=default.broker,
                wait_after_revived_s=settings.wait_after_broker_revived_s,
            ).examine,
        )
        self._begin("", _nothing, partial(brokers.stop, PART_STOP_TIMEOUT_S))
        self._begin(
            "finding running workers and starting the supervisor",
            supervisor.start,
            partial(self._stop_supervisor, supervisor),
            end_title="stopping the supervisor",
        )
        return supervisor

    def _stop_supervisor(self, supervisor: Supervisor) -> None:
        settings = self._settings
        if settings.stop_workers_at_exit:
            logger.info("stopping all workers, as --stop-workers-at-exit asks")
            patience_s = settings.stop_timeout_s + settings.kill_timeout_s + PART_STOP_TIMEOUT_S
            if not supervisor.stop_workers(patience_s):
                logger.error("not all workers ended within %g s", patience_s)
        supervisor.stop(PART_STOP_TIMEOUT_S)

    def _start_http(self, service: Service, tokens: TokenFile) -> None:
        if self._listening is None:
            return
        settings = self._settings
        host, port = self._listening.getsockname()[:2]
        app = create_app(
            service,
            tokens=tokens,
            open_access=is_loopback(self._listening) and not settings.require_token,
            allowed_hosts=(*settings.allowed_hosts, settings.address.host, *machine_names()),
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

    # --- what there is to say -------------------------------------------------------------------

    def _served(self, log: Path | None) -> Served:
        settings = self._settings
        url = port = None
        if self._listening is not None:
            url = url_of(self._listening, "https" if settings.tls_cert else "http")
            port = self._listening.getsockname()[1]
        return Served(url=url, port=port, logfile=None if log is None else str(log))

    def _facts(
        self,
        branch_id: str,
        directory: Path,
        log: Path | None,
        default: DefaultBroker,
        replica: Replica,
        cluster: Clustering,
    ) -> Facts:
        settings = self._settings
        admin_token = directory / ADMIN_TOKEN_FILE
        exposed = self._listening is not None and not is_loopback(self._listening)
        if exposed and settings.tls_cert is None:
            self._warnings.append(
                "tokens and passwords travel unprotected (--insecure): whoever sees the traffic "
                "can use them"
            )
        if os.geteuid() == 0:
            self._warnings.append(
                "it runs as root, and so do its workers: whoever may create them runs code as "
                "root; start it as another user, or with --uid"
            )
        if cluster.is_exposed and settings.broker is None:
            self._warnings.append(
                "the embedded broker is reached from this machine alone, and branches on other "
                "machines cannot use it: name one that all can reach with CYME_BROKER"
            )
        if "numc" in self._loaded.sources:
            self._warnings.append(
                "-C/--numc is only shown with the branch: one process serves all requests at once"
            )
        return Facts(
            branch_id=branch_id,
            pid=os.getpid(),
            url=self._served(log).url,
            cluster=cluster.described(),
            directory=directory,
            database=masked(settings.database or str(directory / DATABASE_FILE)),
            broker=default.broker.masked_url,
            broker_kind=default.kind,
            log=str(log) if log is not None else "standard error",
            settings_file=self._loaded.file,
            admin_token=admin_token if admin_token.exists() else None,
            needs_token=exposed or settings.require_token,
            tells_certificate=settings.tls_cert is not None,
            instances=len(replica.instances_owned()),
            stops_workers=settings.stop_workers_at_exit,
            warnings=self._warnings,
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


def policy_of(settings: Settings) -> Policy:
    """Return the supervisor's patience."""
    return Policy(
        start_timeout_s=settings.start_timeout_s,
        stop_timeout_s=settings.stop_timeout_s,
        kill_timeout_s=settings.kill_timeout_s,
        unresponsive_after_s=settings.unresponsive_after_s,
        wait_after_broker_revived_s=settings.wait_after_broker_revived_s,
        restarts=RestartPolicy(failures_max=settings.restarts_max),
    )


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nothing() -> None:
    """Do nothing."""

"""What keeps the workers of a branch, built of its parts and started."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path

from cyme.adapters.celery_multi import CeleryMulti
from cyme.adapters.celery_multi.log_rotation import LogLimits
from cyme.adapters.machine import LocalMachine
from cyme.core.launch import WorkerDefaults
from cyme.core.ports import Clock
from cyme.core.restarts import RestartPolicy
from cyme.core.supervision import Policy
from cyme.programs.broker_choice import DefaultBroker
from cyme.programs.clustering import Clustering
from cyme.programs.lifetimes import PART_STOP_TIMEOUT_S, Lifetimes
from cyme.programs.log_tending import LogTending
from cyme.runtime.brokers import Brokers
from cyme.runtime.cluster.examiner import Examiner
from cyme.runtime.intents import RecordIntents
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.supervisor import Supervisor
from cyme.settings import Settings, worker_environment

logger = logging.getLogger(__name__)

#: A worker that starts waits for its broker and for the supervisor's next question about half of
#: the time, so more of them than processors keep the processors busy.
STARTS_PER_PROCESSOR = 4


def start_supervisor(
    settings: Settings,
    lifetimes: Lifetimes,
    *,
    replica: Replica,
    brokers: Brokers,
    journal: Journal,
    cluster: Clustering,
    clock: Clock,
    branch_id: str,
    directory: Path,
    default: DefaultBroker,
) -> Supervisor:
    """Start what keeps the workers, and what looks after their logs.

    Args:
        settings: What the branch was told.
        lifetimes: Takes every part that is started.
        replica: The records.
        brokers: Asks workers over their brokers.
        journal: Is told what happens.
        cluster: Says what this branch may do, and is told how its workers are.
        clock: Time.
        branch_id: The branch.
        directory: Where the files of workers are.
        default: The broker of apps that name none.

    Raises:
        StopAsked: The program was asked to stop meanwhile.
    """
    defaults = WorkerDefaults(
        branch=branch_id,
        directory=str(directory),
        python=sys.executable,
        loglevel=settings.loglevel,
        default_broker=default.broker,
        default_result_backend=default.result_backend,
        webhook_allow=settings.webhook_allow,
        task_events=not settings.without_task_events,
    )

    def has_ended(instance: str) -> None:
        supervisor.nudge(instance)

    workers = CeleryMulti(
        directory,
        environment=worker_environment(),
        log_limits=LogLimits(bytes_max=settings.log_bytes_max, kept=settings.logs_kept),
        on_exit=has_ended,
    )
    tending = LogTending(
        workers.tend_logs, bytes_max=settings.log_bytes_max, kept=settings.logs_kept
    )
    lifetimes.step("", tending.start, end=partial(tending.stop, PART_STOP_TIMEOUT_S))
    supervisor = Supervisor(
        replica=replica,
        workers=workers,
        brokers=brokers,
        journal=journal,
        clock=clock,
        intents=RecordIntents(replica, defaults, default.broker),
        branch_id=branch_id,
        may_act=cluster.may_act,
        keeps=cluster.keeps,
        on_prepared=cluster.on_prepared,
        policy=policy_of(settings),
        parallel_starts=settings.parallel_starts or STARTS_PER_PROCESSOR * processors(),
    )
    supervisor.listen(cluster.on_status)
    examiner = Examiner(
        brokers=brokers,
        replica=replica,
        machine=LocalMachine(),
        defaults=defaults,
        default_broker=default.broker,
        wait_after_revived_s=settings.wait_after_broker_revived_s,
    )
    cluster.attach(supervisor, examiner.examine)
    lifetimes.at_end(partial(brokers.stop, PART_STOP_TIMEOUT_S))
    lifetimes.step(
        "finding running workers and starting the supervisor",
        supervisor.start,
        end=partial(_stop, supervisor, settings),
        end_title="stopping the supervisor",
    )
    return supervisor


def _stop(supervisor: Supervisor, settings: Settings) -> None:
    if settings.stop_workers_at_exit:
        logger.info("stopping all workers, as --stop-workers-at-exit asks")
        patience_s = settings.stop_timeout_s + settings.kill_timeout_s + PART_STOP_TIMEOUT_S
        if not supervisor.stop_workers(patience_s):
            logger.error("not all workers ended within %g s", patience_s)
    supervisor.stop(PART_STOP_TIMEOUT_S)


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

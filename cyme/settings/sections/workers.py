"""Settings: workers and their supervisor."""

from __future__ import annotations

from dataclasses import dataclass

from cyme.settings.kinds import DAY_S, SWITCH, WEBHOOK_TARGETS, count, seconds
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How workers are started, watched and stopped."""

    sup_interval_s: float = setting(
        "sup-interval",
        seconds(0.1, DAY_S),
        "How often the supervisor looks at every worker; a change is looked at at once.",
        default=10.0,
    )
    start_timeout_s: float = setting(
        "start-timeout",
        seconds(1.0, DAY_S),
        "How long a worker may take from its start to its first answer.",
        default=60.0,
    )
    stop_timeout_s: float = setting(
        "stop-timeout",
        seconds(0.0, DAY_S),
        "How long a worker that stops may finish its tasks (a warm stop).",
        default=60.0,
    )
    kill_timeout_s: float = setting(
        "kill-timeout",
        seconds(0.0, DAY_S),
        "How long a worker may take then to drop its tasks before it is killed (a cold stop).",
        default=10.0,
    )
    unresponsive_after_s: float = setting(
        "unresponsive-after",
        seconds(1.0, DAY_S),
        "A worker that is silent so long and does nothing is restarted.",
        default=60.0,
    )
    parallel_starts: int | None = setting(
        "parallel-starts",
        count(1, 1024),
        "How many workers start at a time.",
        default=None,
        default_text="four for each processor",
    )
    restarts_max: int = setting(
        "restarts-max",
        count(0, 1_000_000),
        "After so many failures, without a good minute between them, a worker is given up "
        "until it is changed or restarted by hand.",
        default=8,
    )
    without_task_events: bool = setting(
        "without-task-events",
        SWITCH,
        "Start workers that tell nothing of their tasks. It saves them a little time for each, "
        "and nobody sees how tasks go. Workers that run already are not restarted for it.",
        default=False,
    )
    webhook_allow: tuple[str, ...] = setting(
        "webhook-allow",
        WEBHOOK_TARGETS,
        "What queued URLs may reach besides public addresses: a network (10.0.0.0/8), a host "
        "name, or one of the words private, loopback, any; may be repeated.",
        default=(),
        default_text="public addresses only",
    )
    stop_workers_at_exit: bool = setting(
        "stop-workers-at-exit",
        SWITCH,
        "Stop all workers when the branch stops. Otherwise they run on, and the next start of "
        "the branch takes them over.",
        default=False,
    )

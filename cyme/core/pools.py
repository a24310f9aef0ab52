"""The pools of a Celery worker, and what each of them can do.

Read from and tried with Celery 5.7: ``threads`` and ``solo`` lack ``grow`` and ``shrink``. A
``threads`` worker that was started with ``--autoscale`` dies of it when it first wants to
grow; a ``solo`` worker takes the command half.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pool:
    """What a pool can do.

    Attributes:
        name: As people write it.
        option: As it is given to ``celery worker -P``.
        can_autoscale: Whether its limits can be changed while it runs.
        concurrency_max: More tasks at a time than that are a slip of the hand.
        answers_when_busy: Whether its main process answers while tasks run.
    """

    name: str
    option: str
    can_autoscale: bool
    concurrency_max: int
    answers_when_busy: bool = True


_ALL = (
    # Celery takes "-P prefork" for "whatever the application says"; only its alias insists.
    Pool("prefork", "processes", can_autoscale=True, concurrency_max=1_000),
    Pool("threads", "threads", can_autoscale=False, concurrency_max=10_000),
    Pool("gevent", "gevent", can_autoscale=True, concurrency_max=100_000),
    Pool("eventlet", "eventlet", can_autoscale=True, concurrency_max=100_000),
    Pool("solo", "solo", can_autoscale=False, concurrency_max=1, answers_when_busy=False),
)

POOLS = {pool.name: pool for pool in _ALL}

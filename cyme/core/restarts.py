"""The restart budget: how soon, and how often, a worker that failed is started again.

The first failure is mended at once. Those that follow, while the worker has not run well for a
whole period in between, wait longer each time, and after ``failures_max`` of them Cyme gives up
until somebody changes the instance or asks for a restart. The idea is the restart intensity of
Erlang/OTP's supervisors (OTP Design Principles, "Maximum Restart Intensity"), the waiting is
exponential backoff with jitter, so that a fleet that fell together does not rise together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How much failing is borne.

    Attributes:
        period_s: A worker that ran so long has a clean record again, in seconds.
        delay_s_first: Pause before the second restart within a period, in seconds.
        delay_s_max: The longest pause, in seconds.
        jitter: Share by which a pause is lengthened at the most, 0 to 1.
        failures_max: After so many failures without a good period between, give up.
    """

    period_s: float = 60.0
    delay_s_first: float = 5.0
    delay_s_max: float = 120.0
    jitter: float = 0.25
    failures_max: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRecord:
    """What an instance has used of its budget.

    Attributes:
        failures: Failures since it last ran well for a period.
        retry_at: Not to be started before this moment (monotonic seconds).
        given_up: Whether the budget is used up.
    """

    failures: int = 0
    retry_at: float = 0.0
    given_up: bool = False


CLEAN = RestartRecord()


def after_failure(
    record: RestartRecord, policy: RestartPolicy, *, name: str, ran_s: float, now: float
) -> RestartRecord:
    """Return the record after one more failure.

    Args:
        record: The record so far.
        policy: What is borne.
        name: The instance's name; spreads the jitter over a fleet without a random source.
        ran_s: How long the worker had answered before it failed, in seconds.
        now: Monotonic seconds.
    """
    failures = 1 if ran_s >= policy.period_s else record.failures + 1
    if failures > policy.failures_max:
        return replace(record, failures=failures, given_up=True)
    return RestartRecord(failures=failures, retry_at=now + _delay_s(policy, name, failures))


def _delay_s(policy: RestartPolicy, name: str, failures: int) -> float:
    if failures <= 1:
        return 0.0
    delay_s = min(policy.delay_s_max, policy.delay_s_first * 2.0 ** (failures - 2))
    spread = crc32(f"{name} {failures}".encode()) / 0xFFFFFFFF
    return delay_s * (1.0 + policy.jitter * spread)

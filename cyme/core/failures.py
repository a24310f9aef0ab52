"""What the rules of supervision share: one instance's pass, failures, and the way to a stop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cyme.core.restarts import after_failure as charge
from cyme.core.status import InstanceState
from cyme.core.supervision import Decision, Memory, Note, Policy, Sight, Signal, Wish
from cyme.core.workers import ProcessState


@dataclass(frozen=True, slots=True)
class Case:
    """One instance's pass: everything but what is remembered."""

    wish: Wish
    sight: Sight
    policy: Policy
    name: str
    now: float


def start_patience_s(case: Case) -> float:
    """Return how long a worker may take from its start to its first answer, in seconds."""
    policy, others = case.policy, case.sight.starts_under_way
    return policy.start_timeout_s + policy.start_timeout_s_each * others


def begin_stop(case: Case, memory: Memory, reason: str) -> Decision:
    """Return the beginning of a warm stop."""
    told = f"{reason}; its tasks have {case.policy.stop_timeout_s:.0f} s to finish"
    stopping = replace(
        memory,
        state=InstanceState.STOPPING,
        since=case.now,
        reason=told,
        cause=reason,
        stop_signal="TERM",
        stop_deadline=case.now + case.policy.stop_timeout_s,
    )
    return Decision(stopping, (Signal("TERM"),), (Note("instance.stopping", told),))


def abandon(case: Case, memory: Memory, why: str) -> Decision:
    """A living worker is beyond hope: charge the budget and stop it without much patience."""
    failed = after_failure(case, memory, why)
    paused = case.sight.look is not None and case.sight.look.state is ProcessState.PAUSED
    signal = "KILL" if paused else "TERM"
    stopping = replace(
        failed.memory,
        state=InstanceState.STOPPING,
        since=case.now,
        stop_signal=signal,
        stop_deadline=case.now + case.policy.kill_timeout_s,
    )
    return Decision(stopping, (Signal(signal),), failed.notes)


def after_failure(case: Case, memory: Memory, why: str) -> Decision:
    """Charge the restart budget with one failure, and say what follows."""
    ran_s = 0.0 if memory.answered_since is None else case.now - memory.answered_since
    record = charge(memory.record, case.policy.restarts, name=case.name, ran_s=ran_s, now=case.now)
    if record.given_up:
        state, kind = InstanceState.DISABLED, "instance.disabled"
        reason = (
            f"{why}; it failed {record.failures} times in a row and is not started again: mend "
            "the cause, then change it or ask for a restart"
        )
    elif record.retry_at > case.now:
        state, kind = InstanceState.BACKOFF, "instance.failed"
        reason = f"{why}; failure {record.failures}, next try in {record.retry_at - case.now:.0f} s"
    else:
        state, kind, reason = InstanceState.PENDING, "instance.failed", why
    failed = replace(
        memory,
        state=state,
        since=case.now,
        reason=reason,
        record=record,
        answered_since=None,
        refused_digest=case.wish.digest if record.given_up else "",
    )
    return Decision(failed, notes=(Note(kind, reason),))


def quarantine(wish: Wish, memory: Memory, queue: str) -> Memory:
    """Return the memory that keeps a declaration from the worker until it changes."""
    if queue not in wish.queues:
        return memory
    kept = {**memory.quarantined, queue: wish.queues[queue]}
    known = memory.queues - {queue} if memory.queues is not None else None
    return replace(memory, quarantined=kept, queues=known)


def allowed(wish: Wish, memory: Memory) -> dict[str, str]:
    """Return the declarations that the worker may have: all but those that did harm."""
    return {
        queue: digest
        for queue, digest in wish.queues.items()
        if memory.quarantined.get(queue) != digest
    }

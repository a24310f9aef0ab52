"""What to do about one instance, given what is wished, remembered and seen.

``decide`` is the whole of it: it knows no clock, no process and no broker, so every rule can be
read, and tested, as a table.

Laws:

* A missed answer restarts nothing. A worker is held to be hung only when it has been silent
  for long on a broker that works, and its process is paused or uses no processor time at all;
  or when it has been silent for many times as long. Busy is not dead.
* While a broker is away nothing is started or restarted on it, and after it is back its
  workers have time to come back too.
* A worker is stopped warmly first (TERM, running tasks finish), then coldly (QUIT), then
  killed, each with a deadline; a hung one is given less time, a paused one none.
* Whatever a dead worker left behind is swept before a new one starts.
* What fails again and again is given pauses, and in the end left alone with the reason.
* While nothing may be done about an instance nothing is (``cyme.core.restraint``).
* A change of state is told by the first note of its decision, whatever else that tells.
"""

from __future__ import annotations

from dataclasses import replace

from cyme.core.failures import Case, after_failure, allowed, begin_stop, quarantine
from cyme.core.living import alive
from cyme.core.restarts import CLEAN
from cyme.core.restraint import restrained
from cyme.core.status import InstanceState
from cyme.core.supervision import (
    Action,
    Decision,
    Discard,
    Memory,
    Note,
    Policy,
    Sight,
    Signal,
    Start,
    Sweep,
    Wish,
    kept_waiting,
)
from cyme.core.workers import Process, ProcessState

#: A worker that dies so soon after it was told of a queue probably died of it, in seconds.
BAD_QUEUE_WINDOW_S = 10.0


# --- what is learnt between passes ---------------------------------------------------------------


def adopted(process: Process, wish: Wish, now: float) -> Memory:
    """Return the memory of a worker that an earlier run of the branch left running."""
    return Memory(
        state=InstanceState.RUNNING,
        since=now,
        reason="adopted: it was running already",
        process=process,
        starts=1,
        restarts_seen=wish.restarts_asked,
    )


def started(memory: Memory, process: Process, wish: Wish, now: float) -> Memory:
    """Return the memory after a ``Start`` made a process."""
    return replace(
        memory,
        state=InstanceState.STARTING,
        since=now,
        reason="started; it has not answered yet",
        process=process,
        starts=memory.starts + 1,
        limits=wish.limits,
        told=allowed(wish, memory),
        added=None,
    )


def not_started(
    wish: Wish, memory: Memory, why: str, policy: Policy, *, name: str, now: float
) -> Decision:
    """Return the decision after a ``Start`` failed to make a process."""
    case = Case(wish, Sight(), policy, name, now)
    return after_failure(case, memory, f"could not be started: {why}")


def queue_refused(wish: Wish, memory: Memory, queue: str, why: str) -> Decision:
    """Return the decision after a queue's declaration was refused: keep it from the worker."""
    kept = quarantine(wish, memory, queue)
    reason = f"queue {queue!r} was refused: {why}; change its declaration"
    return Decision(kept, notes=(Note("instance.queue-refused", reason),))


def commanded(memory: Memory, now: float) -> Memory:
    """Return the memory after the worker was told what ``AddConsumer`` and the like say."""
    return replace(memory, commanding=False, commanded_at=now)


def unsure(memory: Memory, now: float) -> Memory:
    """Return the memory after telling the worker failed in a way that leaves it unknown."""
    return replace(commanded(memory, now), queues=None)


# --- the decision ------------------------------------------------------------------------------


def decide(
    wish: Wish, memory: Memory, sight: Sight, policy: Policy, *, name: str, now: float
) -> Decision:
    """Decide what to do about one instance.

    Args:
        wish: What the records say.
        memory: What was decided before.
        sight: What was observed.
        policy: The supervisor's patience.
        name: The instance's name.
        now: Monotonic seconds.
    """
    case = Case(wish, sight, policy, name, now)
    decision = restrained(case, memory) if sight.restraint else _free(case, memory)
    if decision.notes or decision.memory.state is memory.state:
        return decision
    after = decision.memory
    return replace(decision, notes=(Note(f"instance.{after.state}", after.reason),))


def _free(case: Case, memory: Memory) -> Decision:
    """Anything may be done about it."""
    if memory.process is not None and _is_gone(case.sight):
        return _ended(case, memory)
    if memory.state is InstanceState.STOPPING:
        return _stopping(case, memory)
    if memory.state is InstanceState.STARTING and memory.process is None:
        return Decision(memory)  # its process is being made; ``started`` or ``not_started`` follows
    if not case.wish.runs:
        return _unwanted(case, memory)
    if memory.process is None:
        return _absent(case, memory)
    return alive(case, memory)


def _is_gone(sight: Sight) -> bool:
    return sight.look is None or sight.look.state is ProcessState.GONE


# --- there is no process -----------------------------------------------------------------------


def _ended(case: Case, memory: Memory) -> Decision:
    """The process is gone: as it was told to, or by itself."""
    bare = _without_process(memory)
    if not case.wish.runs:
        return _gone_for_good(case, bare)
    if memory.state is InstanceState.STOPPING:
        return _gone_to_return(case, bare)
    why = _how_it_ended(memory, case.sight)
    if memory.added is not None and case.now - memory.added[1] <= BAD_QUEUE_WINDOW_S:
        queue = memory.added[0]
        bare = quarantine(case.wish, bare, queue)
        why += f"; it had just been told of queue {queue!r}, which is kept from it until it changes"
    decision = after_failure(case, bare, why)
    return replace(decision, actions=(Sweep(),))


def _without_process(memory: Memory) -> Memory:
    return replace(
        memory,
        process=None,
        queues=None,
        limits=None,
        told={},
        commanding=False,
        added=None,
        silent_since=None,
        missed=0,
        stop_signal="",
    )


def _gone_for_good(case: Case, memory: Memory) -> Decision:
    stopped = replace(
        memory,
        state=InstanceState.STOPPED,
        since=case.now,
        reason=case.wish.why_not,
        cause="",
        record=CLEAN,
        answered_since=None,
    )
    actions: tuple[Action, ...] = (Sweep(), Discard()) if case.wish.removed else (Sweep(),)
    return Decision(stopped, actions, (Note("instance.stopped", case.wish.why_not),))


def _gone_to_return(case: Case, memory: Memory) -> Decision:
    """A stop for the sake of a restart is complete."""
    state = InstanceState.PENDING
    if memory.record.given_up:
        state = InstanceState.DISABLED
    elif memory.record.retry_at > case.now:
        state = InstanceState.BACKOFF
    why = memory.why_start
    back = replace(memory, state=state, since=case.now, reason=why, cause="", answered_since=None)
    return Decision(back, (Sweep(),), (Note("instance.stopped", why),))


def _how_it_ended(memory: Memory, sight: Sight) -> str:
    status = sight.look.exit_status if sight.look is not None else None
    if status is None:
        how = "its process is gone"
    elif status < 0:
        how = f"its process was ended by signal {-status}"
    else:
        how = f"its process ended with exit code {status}"
    if memory.state is InstanceState.STARTING:
        how += " before it answered"
        if sight.last_words:
            how += f" ({sight.last_words})"
    return how


def _absent(case: Case, memory: Memory) -> Decision:
    """It should run, and there is no process."""
    memory = _pardoned(case, memory)
    if memory.state is InstanceState.STOPPED:
        memory = replace(memory, reason="it is to run again")
    if memory.state is InstanceState.DISABLED or case.now < memory.record.retry_at:
        return Decision(memory)
    if case.sight.broker_up is not True:
        return Decision(_held(case, memory, "it waits for its broker, which does not answer"))
    if not case.sight.may_start:
        reason = f"it waits for its turn: {case.sight.starts_under_way} others are starting"
        return Decision(_held(case, memory, reason))
    kind = "instance.restarting" if memory.starts else "instance.starting"
    starting = replace(
        memory, state=InstanceState.STARTING, since=case.now, reason="it is being started", cause=""
    )
    return Decision(starting, (Start(),), (Note(kind, memory.why_start),))


def _pardoned(case: Case, memory: Memory) -> Memory:
    """Wipe the record when a restart was asked for, or what ran out of budget was changed."""
    asked = case.wish.restarts_asked > memory.restarts_seen
    changed = memory.record.given_up and case.wish.digest != memory.refused_digest
    if not asked and not changed:
        return memory
    return replace(
        memory,
        state=InstanceState.PENDING,
        since=case.now,
        reason="a restart was asked for" if asked else "it was changed",
        cause="",
        record=CLEAN,
        quarantined={} if asked else memory.quarantined,
        restarts_seen=case.wish.restarts_asked,
    )


def _held(case: Case, memory: Memory, reason: str) -> Memory:
    held = kept_waiting(memory, reason)
    if memory.state is InstanceState.PENDING:
        return held
    return replace(held, state=InstanceState.PENDING, since=case.now)


# --- it is to stop -----------------------------------------------------------------------------


def _unwanted(case: Case, memory: Memory) -> Decision:
    if memory.process is not None:
        return begin_stop(case, memory, case.wish.why_not)
    stopped = memory
    if memory.state is not InstanceState.STOPPED or memory.reason != case.wish.why_not:
        stopped = replace(
            memory,
            state=InstanceState.STOPPED,
            since=case.now,
            reason=case.wish.why_not,
            cause="",
            record=CLEAN,
        )
    return Decision(stopped, (Sweep(), Discard()) if case.wish.removed else ())


def _stopping(case: Case, memory: Memory) -> Decision:
    """A stop is under way: be patient, then firmer."""
    if case.now < memory.stop_deadline:
        return Decision(memory)
    signal = "QUIT" if memory.stop_signal == "TERM" else "KILL"
    dropped = ", which drops the tasks that it runs" if signal == "QUIT" else ""
    waited_s = case.now - memory.since
    told = f"it has not ended within {waited_s:.0f} s: {signal}{dropped}"
    stopping = replace(
        memory,
        reason=told,
        cause=memory.why_start,
        stop_signal=signal,
        stop_deadline=case.now + case.policy.kill_timeout_s,
    )
    return Decision(stopping, (Signal(signal),), (Note("instance.stopping", told),))

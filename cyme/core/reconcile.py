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
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cyme.core.restarts import CLEAN, after_failure
from cyme.core.status import InstanceState
from cyme.core.supervision import (
    Action,
    AddConsumer,
    Autoscale,
    CancelConsumer,
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
)
from cyme.core.workers import Process, ProcessState, Report

#: So many missed surveys in a row are shown as ``unresponsive``.
MISSED_SURVEYS_SHOWN = 3

#: Silence that outlasts ``unresponsive_after_s`` by this factor is believed without the
#: processor's testimony.
LONG_SILENCE_FACTOR = 5.0

#: Less processor time than this, during the whole silence, is none.
FROZEN_CPU_S = 0.02

#: A worker that dies so soon after it was told of a queue probably died of it, in seconds.
BAD_QUEUE_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class _Case:
    """One instance's pass: everything but what is remembered."""

    wish: Wish
    sight: Sight
    policy: Policy
    name: str
    now: float


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
        told=_allowed(wish, memory),
        added=None,
    )


def not_started(
    wish: Wish, memory: Memory, why: str, policy: Policy, *, name: str, now: float
) -> Decision:
    """Return the decision after a ``Start`` failed to make a process."""
    case = _Case(wish, Sight(), policy, name, now)
    return _after_failure(case, memory, f"could not be started: {why}")


def queue_refused(wish: Wish, memory: Memory, queue: str, why: str) -> Decision:
    """Return the decision after a queue's declaration was refused: keep it from the worker."""
    kept = _quarantine(wish, memory, queue)
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
    case = _Case(wish, sight, policy, name, now)
    if memory.process is not None and _is_gone(sight):
        return _ended(case, memory)
    if memory.state is InstanceState.STOPPING:
        return _stopping(case, memory)
    if memory.state is InstanceState.STARTING and memory.process is None:
        return Decision(memory)  # its process is being made; ``started`` or ``not_started`` follows
    if not wish.runs:
        return _unwanted(case, memory)
    if memory.process is None:
        return _absent(case, memory)
    return _alive(case, memory)


def _is_gone(sight: Sight) -> bool:
    return sight.look is None or sight.look.state is ProcessState.GONE


# --- there is no process -----------------------------------------------------------------------


def _ended(case: _Case, memory: Memory) -> Decision:
    """The process is gone: as it was told to, or by itself."""
    bare = _without_process(memory)
    if not case.wish.runs:
        return _gone_for_good(case, bare)
    if memory.state is InstanceState.STOPPING:
        return _gone_to_return(case, bare)
    why = _how_it_ended(memory, case.sight)
    if memory.added is not None and case.now - memory.added[1] <= BAD_QUEUE_WINDOW_S:
        queue = memory.added[0]
        bare = _quarantine(case.wish, bare, queue)
        why += f"; it had just been told of queue {queue!r}, which is kept from it until it changes"
    decision = _after_failure(case, bare, why)
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


def _gone_for_good(case: _Case, memory: Memory) -> Decision:
    stopped = replace(
        memory,
        state=InstanceState.STOPPED,
        since=case.now,
        reason=case.wish.why_not,
        record=CLEAN,
        answered_since=None,
    )
    actions: tuple[Action, ...] = (Sweep(), Discard()) if case.wish.removed else (Sweep(),)
    return Decision(stopped, actions, (Note("instance.stopped", case.wish.why_not),))


def _gone_to_return(case: _Case, memory: Memory) -> Decision:
    """A stop for the sake of a restart is complete."""
    state = InstanceState.PENDING
    if memory.record.given_up:
        state = InstanceState.DISABLED
    elif memory.record.retry_at > case.now:
        state = InstanceState.BACKOFF
    back = replace(memory, state=state, since=case.now, answered_since=None)
    return Decision(back, (Sweep(),), (Note("instance.stopped", memory.reason),))


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


def _absent(case: _Case, memory: Memory) -> Decision:
    """It should run, and there is no process."""
    memory = _pardoned(case, memory)
    if memory.state is InstanceState.DISABLED or case.now < memory.record.retry_at:
        return Decision(memory)
    if case.sight.broker_up is not True:
        return Decision(_held(case, memory, "it waits for its broker, which does not answer"))
    if not case.sight.may_start:
        reason = f"it waits for its turn: {case.sight.starts_under_way} others are starting"
        return Decision(_held(case, memory, reason))
    kind = "instance.restarting" if memory.starts else "instance.starting"
    starting = replace(
        memory, state=InstanceState.STARTING, since=case.now, reason="it is being started"
    )
    return Decision(starting, (Start(),), (Note(kind, memory.reason),))


def _pardoned(case: _Case, memory: Memory) -> Memory:
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
        record=CLEAN,
        quarantined={} if asked else memory.quarantined,
        restarts_seen=case.wish.restarts_asked,
    )


def _held(case: _Case, memory: Memory, reason: str) -> Memory:
    if memory.state is InstanceState.PENDING:
        return replace(memory, reason=reason)
    return replace(memory, state=InstanceState.PENDING, since=case.now, reason=reason)


# --- it is to stop -----------------------------------------------------------------------------


def _unwanted(case: _Case, memory: Memory) -> Decision:
    if memory.process is not None:
        return _begin_stop(case, memory, case.wish.why_not)
    stopped = memory
    if memory.state is not InstanceState.STOPPED or memory.reason != case.wish.why_not:
        stopped = replace(
            memory,
            state=InstanceState.STOPPED,
            since=case.now,
            reason=case.wish.why_not,
            record=CLEAN,
        )
    return Decision(stopped, (Sweep(), Discard()) if case.wish.removed else ())


def _begin_stop(case: _Case, memory: Memory, reason: str) -> Decision:
    stopping = replace(
        memory,
        state=InstanceState.STOPPING,
        since=case.now,
        reason=reason,
        stop_signal="TERM",
        stop_deadline=case.now + case.policy.stop_timeout_s,
    )
    return Decision(stopping, (Signal("TERM"),), (Note("instance.stopping", reason),))


def _stopping(case: _Case, memory: Memory) -> Decision:
    """A stop is under way: be patient, then firmer."""
    if case.now < memory.stop_deadline:
        return Decision(memory)
    signal = "QUIT" if memory.stop_signal == "TERM" else "KILL"
    note = Note("instance.stopping", f"not gone after {memory.stop_signal}: {signal}")
    stopping = replace(
        memory, stop_signal=signal, stop_deadline=case.now + case.policy.kill_timeout_s
    )
    return Decision(stopping, (Signal(signal),), (note,))


# --- it is alive and should be -----------------------------------------------------------------


def _alive(case: _Case, memory: Memory) -> Decision:
    if (why := _why_restart(case.wish, memory)) is not None:
        pardoned = replace(memory, restarts_seen=case.wish.restarts_asked, record=CLEAN)
        return _begin_stop(case, pardoned, why)
    if case.sight.broker_up is not True:
        return Decision(_without_broker(case, memory))
    if case.sight.report is not None:
        return _answered(case, memory, case.sight.report)
    if memory.state is InstanceState.STARTING:
        return _not_answered_yet(case, memory)
    if case.sight.asked_at is not None:
        return _silent(case, memory)
    return _mend(case, memory)


def _why_restart(wish: Wish, memory: Memory) -> str | None:
    """Tell why a living worker has to be started anew; None if it has not."""
    assert memory.process is not None
    if wish.restarts_asked > memory.restarts_seen:
        return "a restart was asked for"
    if memory.process.digest and memory.process.digest != wish.digest:
        return "its settings changed; restarting it"
    for queue, digest in wish.queues.items():
        # A worker ignores a second declaration of a queue that it knows, and says ok.
        if memory.told.get(queue, digest) != digest:
            return f"the declaration of queue {queue!r} changed; restarting it"
    return None


def _without_broker(case: _Case, memory: Memory) -> Memory:
    """Nothing can be learnt of it; what it missed is forgiven."""
    forgiven = replace(memory, silent_since=None, missed=0, queues=None)
    if memory.state is InstanceState.STARTING:
        return replace(forgiven, since=case.now)
    if case.sight.broker_up is None or memory.state is InstanceState.UNKNOWN:
        return forgiven
    return replace(
        forgiven,
        state=InstanceState.UNKNOWN,
        since=case.now,
        reason="its process is alive, but its broker does not answer",
    )


def _answered(case: _Case, memory: Memory, report: Report) -> Decision:
    assert case.sight.asked_at is not None
    notes: tuple[Note, ...] = ()
    was = memory.state
    answering = replace(
        memory,
        answered_since=case.now if memory.answered_since is None else memory.answered_since,
        silent_since=None,
        missed=0,
    )
    if not memory.commanding and case.sight.asked_at > memory.commanded_at:
        answering = replace(
            answering,
            queues=report.queues,
            limits=report.limits if report.limits is not None else memory.limits,
        )
    if was is not InstanceState.RUNNING or memory.answered_since is None:
        answering = replace(
            answering, state=InstanceState.RUNNING, reason="it answers", since=case.now
        )
        kind = "instance.started" if was is InstanceState.STARTING else "instance.answers"
        notes = (Note(kind, f"answered after {case.now - memory.since:.1f} s"),)
    mended = _mend(case, answering)
    return replace(mended, notes=(*notes, *mended.notes))


def _not_answered_yet(case: _Case, memory: Memory) -> Decision:
    patience_s = (
        case.policy.start_timeout_s + case.policy.start_timeout_s_each * case.sight.starts_under_way
    )
    if case.now - memory.since < patience_s:
        return Decision(memory)
    why = f"it did not answer remote control within {patience_s:.0f} s of its start"
    if case.sight.last_words:
        why += f" ({case.sight.last_words})"
    return _abandon(case, memory, why)


def _silent(case: _Case, memory: Memory) -> Decision:
    """It was asked on a working broker and did not answer."""
    assert case.sight.asked_at is not None
    assert case.sight.look is not None
    if case.sight.asked_at < case.sight.broker_since + case.policy.wait_after_broker_revived_s:
        return Decision(memory)
    if memory.silent_since is None:
        memory = replace(
            memory,
            silent_since=case.sight.asked_at,
            cpu_s_at_silence=case.sight.look.cpu_s,
            missed=0,
        )
    memory = replace(memory, missed=memory.missed + 1)
    assert memory.silent_since is not None
    silent_s = case.now - memory.silent_since
    paused = case.sight.look.state is ProcessState.PAUSED
    idle = abs(case.sight.look.cpu_s - memory.cpu_s_at_silence) < FROZEN_CPU_S
    if _is_hung(case, silent_s, paused=paused, idle=idle):
        testimony = "paused" if paused else "idle" if idle else "busy"
        why = f"it has not answered for {silent_s:.0f} s and its process is {testimony}"
        return _abandon(case, memory, why)
    if memory.missed < MISSED_SURVEYS_SHOWN or memory.state is InstanceState.UNRESPONSIVE:
        return Decision(memory)
    reason = f"it did not answer {memory.missed} times in a row"
    shown = replace(memory, state=InstanceState.UNRESPONSIVE, since=case.now, reason=reason)
    return Decision(shown, notes=(Note("instance.unresponsive", reason),))


def _is_hung(case: _Case, silent_s: float, *, paused: bool, idle: bool) -> bool:
    """Let the votes be counted: its silence, its process, and the kind of its pool."""
    if silent_s < case.policy.unresponsive_after_s:
        return False
    if paused:
        return True
    if not case.wish.answers_when_busy:
        return False
    return idle or silent_s >= LONG_SILENCE_FACTOR * case.policy.unresponsive_after_s


def _mend(case: _Case, memory: Memory) -> Decision:
    """Make the worker's queues and limits what they should be."""
    actions: list[Action] = []
    notes: list[Note] = []
    if memory.commanding:
        return Decision(memory)
    if memory.queues is not None:
        allowed = _allowed(case.wish, memory)
        missing = sorted(allowed.keys() - memory.queues)
        surplus = sorted(memory.queues - case.wish.queues.keys())
        actions += [AddConsumer(queue) for queue in missing]
        actions += [CancelConsumer(queue) for queue in surplus]
        notes += [Note("instance.consume", f"told to consume from {queue!r}") for queue in missing]
        notes += [Note("instance.cancel", f"told to leave {queue!r}") for queue in surplus]
        memory = replace(
            memory,
            queues=(memory.queues | set(missing)) - set(surplus),
            told={**memory.told, **{queue: allowed[queue] for queue in missing}},
            added=(missing[-1], case.now) if missing else memory.added,
        )
    if case.wish.limits is not None and memory.limits not in (None, case.wish.limits):
        minimum, maximum = case.wish.limits
        actions.append(Autoscale(minimum, maximum))
        notes.append(Note("instance.autoscale", f"told to run {minimum} to {maximum} at a time"))
        memory = replace(memory, limits=case.wish.limits)
    if actions:
        memory = replace(memory, commanding=True)
    return Decision(memory, tuple(actions), tuple(notes))


# --- failures ----------------------------------------------------------------------------------


def _abandon(case: _Case, memory: Memory, why: str) -> Decision:
    """A living worker is beyond hope: charge the budget and stop it without much patience."""
    failed = _after_failure(case, memory, why)
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


def _after_failure(case: _Case, memory: Memory, why: str) -> Decision:
    """Charge the restart budget with one failure, and say what follows."""
    ran_s = 0.0 if memory.answered_since is None else case.now - memory.answered_since
    record = after_failure(
        memory.record, case.policy.restarts, name=case.name, ran_s=ran_s, now=case.now
    )
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


def _quarantine(wish: Wish, memory: Memory, queue: str) -> Memory:
    if queue not in wish.queues:
        return memory
    kept = {**memory.quarantined, queue: wish.queues[queue]}
    known = memory.queues - {queue} if memory.queues is not None else None
    return replace(memory, quarantined=kept, queues=known)


def _allowed(wish: Wish, memory: Memory) -> dict[str, str]:
    """Return the declarations that the worker may have: all but those that did harm."""
    return {
        queue: digest
        for queue, digest in wish.queues.items()
        if memory.quarantined.get(queue) != digest
    }

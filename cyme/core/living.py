"""What to do about a worker that is alive and should be.

It is compared with what is wished, and mended where remote control can mend it; its silence is
weighed against what its process does. The laws stand in ``cyme.core.reconcile``.
"""

from __future__ import annotations

from dataclasses import replace

from cyme.core.failures import Case, abandon, allowed, begin_stop, start_patience_s
from cyme.core.restarts import CLEAN
from cyme.core.status import InstanceState
from cyme.core.supervision import (
    Action,
    AddConsumer,
    Autoscale,
    CancelConsumer,
    Decision,
    Memory,
    Note,
    Wish,
)
from cyme.core.workers import ProcessState, Report

#: So many missed questions in a row are shown as ``unresponsive``; fewer are no silence at all,
#: however long ago the first of them was asked.
MISSED_SHOWN = 3

#: Silence that outlasts ``unresponsive_after_s`` by this factor is believed without the
#: processor's testimony.
LONG_SILENCE_FACTOR = 5.0

#: Less processor time than this, during the whole silence, is none.
FROZEN_CPU_S = 0.02


def alive(case: Case, memory: Memory) -> Decision:
    """Return what to do about an instance that should run and has a living process."""
    if (why := _why_restart(case.wish, memory)) is not None:
        pardoned = replace(memory, restarts_seen=case.wish.restarts_asked, record=CLEAN)
        return begin_stop(case, pardoned, why)
    if case.sight.broker_up is not True:
        return Decision(without_broker(case, memory))
    if case.sight.report is not None:
        answering = answered(case, memory, case.sight.report)
        mended = _mend(case, answering.memory)
        return replace(mended, notes=(*answering.notes, *mended.notes))
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


def without_broker(case: Case, memory: Memory) -> Memory:
    """Return the memory while nothing can be learnt of it; what it missed is forgiven."""
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


def answered(case: Case, memory: Memory, report: Report) -> Decision:
    """Return what is learnt from an answer, without doing anything about it."""
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
    return Decision(answering, notes=notes)


def _not_answered_yet(case: Case, memory: Memory) -> Decision:
    patience_s = start_patience_s(case)
    if case.now - memory.since < patience_s:
        return Decision(memory)
    why = f"it did not answer remote control within {patience_s:.0f} s of its start"
    if case.sight.last_words:
        why += f" ({case.sight.last_words})"
    return abandon(case, memory, why)


def _silent(case: Case, memory: Memory) -> Decision:
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
    if memory.missed < MISSED_SHOWN:
        return Decision(memory)
    silent_s = case.now - memory.silent_since
    paused = case.sight.look.state is ProcessState.PAUSED
    idle = abs(case.sight.look.cpu_s - memory.cpu_s_at_silence) < FROZEN_CPU_S
    if _is_hung(case, silent_s, paused=paused, idle=idle):
        testimony = "paused" if paused else "idle" if idle else "busy"
        why = f"it has not answered for {silent_s:.0f} s and its process is {testimony}"
        return abandon(case, memory, why)
    if memory.state is InstanceState.UNRESPONSIVE:
        return Decision(memory)
    reason = f"it did not answer {memory.missed} times in a row"
    shown = replace(memory, state=InstanceState.UNRESPONSIVE, since=case.now, reason=reason)
    return Decision(shown, notes=(Note("instance.unresponsive", reason),))


def _is_hung(case: Case, silent_s: float, *, paused: bool, idle: bool) -> bool:
    """Let the votes be counted: its silence, its process, and the kind of its pool."""
    if silent_s < case.policy.unresponsive_after_s:
        return False
    if paused:
        return True
    if not case.wish.answers_when_busy:
        return False
    return idle or silent_s >= LONG_SILENCE_FACTOR * case.policy.unresponsive_after_s


def _mend(case: Case, memory: Memory) -> Decision:
    """Make the worker's queues and limits what they should be."""
    actions: list[Action] = []
    notes: list[Note] = []
    if memory.commanding:
        return Decision(memory)
    if memory.queues is not None:
        may_have = allowed(case.wish, memory)
        missing = sorted(may_have.keys() - memory.queues)
        surplus = sorted(memory.queues - case.wish.queues.keys())
        actions += [AddConsumer(queue) for queue in missing]
        actions += [CancelConsumer(queue) for queue in surplus]
        notes += [Note("instance.consume", f"told to consume from {queue!r}") for queue in missing]
        notes += [Note("instance.cancel", f"told to leave {queue!r}") for queue in surplus]
        if actions:
            memory = replace(
                memory,
                queues=(memory.queues | set(missing)) - set(surplus),
                told={**memory.told, **{queue: may_have[queue] for queue in missing}},
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

"""What is learnt of an instance while nothing may be done about it.

A branch that may have lost what it owned acts on none of it, and an instance that another branch
owns is left as it is until it is clear who keeps it. Both are looked at all the same.

Laws:

* nothing is started, stopped, signalled or told;
* no patience runs out: what a worker misses meanwhile is forgiven, since it may be this branch
  that stood still;
* what is decided once something may be done again is what would have been decided without the
  pause.
"""

from __future__ import annotations

from dataclasses import replace

from cyme.core.failures import Case, start_patience_s
from cyme.core.living import answered, without_broker
from cyme.core.status import InstanceState
from cyme.core.supervision import Decision, Memory, kept_waiting
from cyme.core.workers import ProcessState


def restrained(case: Case, memory: Memory) -> Decision:
    """Return what is to be remembered of an instance about which nothing may be done."""
    if memory.process is None:
        return Decision(_waiting(case, memory))
    if memory.state is InstanceState.STOPPING:
        return Decision(memory)
    if case.sight.look is None or case.sight.look.state is ProcessState.GONE:
        return Decision(_gone(case, memory))
    if case.sight.broker_up is not True:
        return Decision(without_broker(case, memory))
    forgiven = replace(memory, silent_since=None, missed=0)
    if case.sight.report is not None:
        return answered(case, forgiven, case.sight.report)
    late = case.now - memory.since >= start_patience_s(case)
    if memory.state is InstanceState.STARTING and late:
        forgiven = replace(forgiven, since=case.now)
    return Decision(forgiven)


def withheld(before: Memory, memory: Memory) -> Memory:
    """Return the memory after an effect on the process was not performed for want of permission.

    Args:
        before: As it was before the effect was decided: that is decided anew.
        memory: As it is now: what was learnt by remote control since then stays.
    """
    return replace(
        before,
        commanding=memory.commanding,
        commanded_at=memory.commanded_at,
        queues=memory.queues,
        quarantined=memory.quarantined,
    )


def _waiting(case: Case, memory: Memory) -> Memory:
    if memory.state is not InstanceState.PENDING or not case.wish.runs:
        return memory
    return kept_waiting(memory, f"it waits: {case.sight.restraint}")


def _gone(case: Case, memory: Memory) -> Memory:
    """Its process is gone; the state tells the rules of a later pass how far it had come."""
    if memory.state in (InstanceState.STARTING, InstanceState.UNKNOWN):
        return memory
    return replace(
        memory,
        state=InstanceState.UNKNOWN,
        since=case.now,
        reason=f"its process is gone, and nothing is done about that: {case.sight.restraint}",
    )

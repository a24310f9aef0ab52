"""The supervisor: keeps the workers of this branch running as the records say.

One greenlet makes the passes. A pass looks at every process, takes in what the brokers' surveys
learnt, lets the core decide, and hands the effects to a bounded pool. It never waits itself, so
one slow worker, broker or disk delays nobody else.

A pass is made every second, which costs a few reads of ``/proc``, and at once when a record, a
process or a broker changed. The brokers' surveys have their own, longer interval.

A branch of a cluster may have lost what it owned, and then does nothing about it until that is
settled. So whether it may act is asked in every pass, and again before every effect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import gevent
from gevent.event import Event as Signalled

from cyme.core import reconcile
from cyme.core.histogram import Histogram
from cyme.core.model import Instance
from cyme.core.names import node_name
from cyme.core.ports import Clock, Workers
from cyme.core.status import UNSEEN, InstanceState, InstanceStatus
from cyme.core.supervision import Decision, Policy
from cyme.core.usage import used
from cyme.core.vitals import InstanceVitals
from cyme.runtime.adoption import Adoption
from cyme.runtime.attention import watched
from cyme.runtime.brokers import Brokers
from cyme.runtime.changes import Changes
from cyme.runtime.charges import Care, Charge, Intents
from cyme.runtime.custody import Custody
from cyme.runtime.effects import Effects
from cyme.runtime.guests import Guests, OnPrepared
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.sighting import sight_of
from cyme.runtime.telemetry.measures import PASS_BOUNDS_S
from cyme.runtime.tidings import Listener, Tidings

logger = logging.getLogger(__name__)

LOOK_PERIOD_S = 1.0

#: A pass lets others run after so many instances, for so long, in seconds. With no time at all
#: between them the event loop would run whoever is ready, and no timer until the pass is over.
YIELD_EVERY = 25
YIELD_S = 0.0005

#: States in which nothing, or nothing soon, is done to start a worker.
_GIVEN_UP = frozenset({InstanceState.BACKOFF, InstanceState.DISABLED})


class Supervisor:
    """Supervises the instances that this branch owns, or is about to own.

    Args:
        replica: The records.
        workers: Worker processes.
        brokers: Remote control and the surveys.
        journal: Where every decision is told.
        clock: Time.
        intents: Turns a record into what is wished.
        branch_id: This branch.
        policy: Its patience.
        parallel_starts: So many workers may be starting at once, 1 or more.
        may_act: Tells whether this branch may start, stop and signal workers at this moment.
        keeps: As for ``Guests``.
        on_prepared: As for ``Guests``.
    """

    def __init__(
        self,
        *,
        replica: Replica,
        workers: Workers,
        brokers: Brokers,
        journal: Journal,
        clock: Clock,
        intents: Intents,
        branch_id: str,
        policy: Policy | None = None,
        parallel_starts: int = 4,
        may_act: Callable[[], bool] = lambda: True,
        keeps: Callable[[str], bool] = lambda _: False,
        on_prepared: OnPrepared = lambda _instance, _running, _why: None,
    ) -> None:
        self._replica = replica
        self._workers = workers
        self._brokers = brokers
        self._journal = journal
        self._clock = clock
        self._branch_id = branch_id
        self._policy = policy if policy is not None else Policy()
        self._parallel_starts = parallel_starts
        self._may_act = may_act
        self._guests = Guests(replica=replica, clock=clock, keeps=keeps, on_prepared=on_prepared)
        self._custody = Custody(
            replica=replica,
            adoption=Adoption(replica, workers, journal),
            guests=self._guests,
            intents=intents,
            journal=journal,
            clock=clock,
            may_act=may_act,
        )
        self._charges = self._custody.charges
        self._tidings = Tidings(clock)
        self._effects = Effects(
            replica=replica,
            workers=workers,
            brokers=brokers,
            journal=journal,
            clock=clock,
            policy=self._policy,
            node_of=self._node,
            restraint=self._restraint,
            accept=self._accept,
            done=self._acted,
        )
        self._changes = Changes(clock)
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None
        self.passed_at = 0.0  # when the last pass ended, monotonic seconds
        self.passes = Histogram(PASS_BOUNDS_S)  # how long they took, in seconds
        self.restarts = 0  # how often a worker was started again

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopt the workers that an earlier run left, then begin to make passes."""
        self._brokers.notify(self._wake.set)
        self._custody.start()
        self._replica.listen(lambda _records, _here: self._wake.set())
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """End the passes; the workers stay running and are adopted at the next start."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._effects.stop(timeout_s)

    def stop_workers(self, timeout_s: float) -> bool:
        """Stop every worker of this branch warmly; tell whether all were gone in time."""
        self._custody.empty()
        self._wake.set()
        return self._changes.wait(self._none_runs, timeout_s)

    # --- what others ask ------------------------------------------------------------------------

    def nudge(self, instance: str | None = None) -> None:
        """Make a pass at once; with an instance, ask its worker anew as well."""
        charge = self._charges.get(instance) if instance is not None else None
        if charge is not None and charge.memory.process is not None:
            self._brokers.look_soon(charge.intent.broker)
        self._wake.set()

    def restart(self, instance: str) -> None:
        """Restart a worker warmly, and wipe what it used of its restart budget."""
        charge = self._charges.get(instance)
        if charge is not None:
            charge.restarts_asked += 1
            self._custody.touch(instance)
            self._wake.set()

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance that this branch runs, or is about to."""
        charge = self._charges.get(instance)
        return UNSEEN if charge is None else charge.status()

    def vitals(self) -> list[InstanceVitals]:
        """Return how the workers of the instances do that this branch owns."""
        return [each.vitals() for each in self._charges.values() if each.care is Care.OURS]

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called with every change of an instance's status.

        It is called once with all at first, and for changes within one state once a second at
        most. It must neither wait nor raise.
        """
        self._tidings.listen(listener)

    def wait_for(
        self, instance: str, states: Collection[InstanceState], timeout_s: float
    ) -> InstanceStatus:
        """Wait until an instance is in one of the states; return how it is then, or at the end."""
        self._changes.wait(lambda: self.status(instance).state in states, timeout_s)
        return self.status(instance)

    def wait_gone(self, instance: str, timeout_s: float) -> bool:
        """Wait until nothing of a deleted instance is left; tell whether that is so."""
        return self._changes.wait(lambda: instance not in self._charges, timeout_s)

    # --- instances of other branches ------------------------------------------------------------

    def prepare(self, instance: Instance) -> None:
        """Run the worker of an instance that another branch owns as if this one owned it.

        A worker of it that runs here already goes on. ``on_prepared`` is told once whether it
        runs. When the record names this branch it is an instance like any other.
        """
        charge = self._charges.get(instance.name)
        if charge is not None and charge.memory.state in _GIVEN_UP:
            charge.restarts_asked += 1  # it is tried anew
        self._guests.prepare(instance)
        self.reconsider(instance.name)

    def abandon(self, name: str) -> None:
        """Stop a worker that was prepared, or held; nothing happens to what this branch owns."""
        self._guests.abandon(name, self._charges.get(name))
        self.reconsider(name)

    def reconsider(self, name: str) -> None:
        """Judge at once whether the worker of an instance is to run here."""
        self._custody.touch(name)
        self._wake.set()

    def guests(self) -> list[str]:
        """Return the instances of other branches whose workers are kept here, sorted."""
        return sorted(
            charge.name
            for charge in self._charges.values()
            if charge.care in (Care.GUEST, Care.HELD)
        )

    def _none_runs(self) -> bool:
        return all(
            charge.memory.process is None
            and charge.memory.state is not InstanceState.STARTING
            and not charge.busy
            for charge in self._charges.values()
        )

    # --- passes ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                self.pass_now()
            except Exception:  # the top of a greenlet; supervision must go on
                logger.exception("a pass of the supervisor failed")
            self._wake.wait(LOOK_PERIOD_S)

    def pass_now(self) -> None:
        """Make one pass over all instances."""
        began = self._clock.monotonic()
        self._custody.refresh()
        self._take_answers()
        starting = self._count(InstanceState.STARTING)
        for count, charge in enumerate(list(self._charges.values()), start=1):
            # One that left meanwhile is passed over: its name may be another one's by now.
            if not charge.busy and self._charges.get(charge.name) is charge:
                was_starting = charge.memory.state is InstanceState.STARTING
                self._consider(charge, starting)
                is_starting = charge.memory.state is InstanceState.STARTING
                starting += is_starting - was_starting
            if count % YIELD_EVERY == 0:
                gevent.sleep(YIELD_S)
        self._tell()
        self.passed_at = self._clock.monotonic()
        self.passes.observe(self.passed_at - began)

    def _take_answers(self) -> None:
        answers = self._brokers.take_answers()
        for charge in self._charges.values() if answers else ():
            charge.answer = answers.get(self._node(charge.name), charge.answer)
            report = charge.answer.report if charge.answer is not None else None
            if report is not None and report.slots is not None:
                charge.slots = report.slots

    def _consider(self, charge: Charge, starting: int) -> None:
        """Decide about one instance; a fault in that is its own and concerns no other."""
        try:
            self._decide(charge, starting)
        except Exception:  # one instance must not cost the others their pass
            logger.exception("considering instance %s failed", charge.name)

    def _decide(self, charge: Charge, starting: int) -> None:
        before = charge.memory
        process = before.process
        self._look(charge)
        charge.survived |= process is not None and not self._may_act()
        decision = reconcile.decide(
            charge.intent.wish,
            before,
            sight_of(
                charge,
                self._brokers.view_of(charge.intent.broker),
                self._workers.log_tail,
                starting=starting,
                starts_max=self._parallel_starts,
                restraint=self._restraint(charge),
            ),
            self._policy,
            name=charge.name,
            now=self._clock.monotonic(),
        )
        charge.answer = None
        self._accept(charge, decision)
        self._effects.perform(charge, decision.actions, before)

    def _look(self, charge: Charge) -> None:
        process = charge.memory.process
        charge.look = look = self._workers.look(process) if process is not None else None
        if process is not None and look is not None:
            charge.usage = used(charge.usage, process, look, self._clock.monotonic())

    def _restraint(self, charge: Charge) -> str:
        """Return why nothing may be done about an instance at this moment, in words; or empty."""
        if not self._may_act():
            return "this branch has not learnt from the others yet what it may do"
        if charge.care is Care.HELD and not self._custody.is_emptied:
            return "another branch owns it, and whether it comes back is not settled"
        return ""

    def _accept(self, charge: Charge, decision: Decision) -> None:
        """Remember what was decided, and say why."""
        before, charge.memory = charge.memory, decision.memory
        self.restarts += max(0, charge.memory.restarts - before.restarts)
        if charge.memory.process not in (None, before.process):
            charge.survived = False
        is_changed = before.state is not charge.memory.state
        if is_changed:
            charge.since_wall = self._clock.wall()
        for number, note in enumerate(decision.notes):
            facts = {"state": charge.memory.state.value}
            if is_changed and number == 0:
                facts["was"] = before.state.value
            self._journal.record(
                note.kind, note.reason, app=charge.app, instance=charge.name, **facts
            )
        if is_changed:
            self._changes.announce()

    def _acted(self, charge: Charge, discarded: bool) -> None:
        if discarded:
            self._custody.drop(charge)
        self._changes.announce()
        self._wake.set()

    def _count(self, state: InstanceState) -> int:
        return sum(1 for charge in self._charges.values() if charge.memory.state is state)

    def _tell(self) -> None:
        """Say to others what concerns them: whom to ask, how all are, what was prepared."""
        now = self._clock.monotonic()
        asked = watched(self._charges.values(), node_of=self._node, now=now)
        for broker, nodes in asked.items():
            self._brokers.tell(broker, nodes)
        self._brokers.leave_idle()
        self._tidings.tell(self._charges.values())
        self._guests.tell(self._charges)

    def _node(self, instance: str) -> str:
        return node_name(instance, self._branch_id)

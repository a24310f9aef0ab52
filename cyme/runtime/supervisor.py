"""The supervisor: keeps the workers of this branch running as the records say.

One greenlet makes the passes. A pass looks at every process, takes in what the brokers' surveys
learnt, lets the core decide, and hands the effects to a bounded pool. It never waits itself, so
one slow worker, broker or disk delays nobody else.

A pass is made every second, which costs a few reads of ``/proc``, and at once when a record, a
process or a broker changed. The brokers' surveys have their own, longer interval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

import gevent
from gevent.event import Event as Signalled

from cyme.core import reconcile
from cyme.core.model import App, Broker, Instance, Queue, Record
from cyme.core.names import node_name
from cyme.core.ports import Clock, Workers
from cyme.core.status import UNSEEN, InstanceState, InstanceStatus
from cyme.core.supervision import Decision, Memory, Policy, Sight
from cyme.core.workers import Process, ProcessState
from cyme.runtime.brokers import Brokers, Watched
from cyme.runtime.charges import Charge, Intent, Intents
from cyme.runtime.effects import Effects
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

LOOK_PERIOD_S = 1.0

#: A pass lets others run after so many instances.
YIELD_EVERY = 25

#: An adopted worker is asked urgently for so long; after that it has to answer like any other.
ADOPTION_S = 30.0

LOG_LINES_READ = 40
LAST_WORDS_CHARS_MAX = 300


class Supervisor:
    """Supervises the instances that this branch owns.

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
    ) -> None:
        self._replica = replica
        self._workers = workers
        self._brokers = brokers
        self._journal = journal
        self._clock = clock
        self._intents = intents
        self._branch_id = branch_id
        self._policy = policy if policy is not None else Policy()
        self._parallel_starts = parallel_starts
        self._effects = Effects(
            replica=replica,
            workers=workers,
            brokers=brokers,
            journal=journal,
            clock=clock,
            policy=self._policy,
            node_of=self._node,
            accept=self._accept,
            done=self._acted,
        )
        self._charges: dict[str, Charge] = {}
        self._stale: set[str] = set()
        self._stopping_all = False
        self._wake = Signalled()
        self._changed = Signalled()
        self._greenlet: gevent.Greenlet | None = None
        self.passed_at = 0.0  # when the last pass ended, monotonic seconds

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopt the workers that an earlier run left, then begin to make passes."""
        self._brokers.notify(self._wake.set)
        self._replica.listen(self._note_change)
        self._adopt()
        self._stale.update(record.name for record in self._replica.instances_owned())
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """End the passes; the workers stay running and are adopted at the next start."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._effects.stop(timeout_s)

    def stop_workers(self, timeout_s: float) -> bool:
        """Stop every worker of this branch warmly; tell whether all were gone in time."""
        self._stopping_all = True
        self._stale.update(self._charges)
        self._wake.set()
        return self._await(self._none_runs, timeout_s)

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
            self._stale.add(instance)
            self._wake.set()

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance of this branch."""
        charge = self._charges.get(instance)
        if charge is None:
            return UNSEEN
        memory = charge.memory
        alive = charge.look is not None and memory.process is not None
        return InstanceStatus(
            state=memory.state,
            reason=memory.reason,
            pids=charge.look.pids if alive and charge.look is not None else (),
            restarts=memory.restarts,
            since=charge.since_wall,
        )

    def wait_for(
        self, instance: str, states: Collection[InstanceState], timeout_s: float
    ) -> InstanceStatus:
        """Wait until an instance is in one of the states; return how it is then, or at the end."""
        self._await(lambda: self.status(instance).state in states, timeout_s)
        return self.status(instance)

    def wait_gone(self, instance: str, timeout_s: float) -> bool:
        """Wait until nothing of a deleted instance is left; tell whether that is so."""
        return self._await(lambda: instance not in self._charges, timeout_s)

    def _await(self, done: Callable[[], bool], timeout_s: float) -> bool:
        deadline = self._clock.monotonic() + timeout_s
        while not done():
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0:
                return False
            self._changed.wait(left_s)
        return True

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
        self._refresh()
        self._take_answers()
        starting = self._count(InstanceState.STARTING)
        for count, charge in enumerate(list(self._charges.values()), start=1):
            if not charge.busy:
                was_starting = charge.memory.state is InstanceState.STARTING
                self._consider(charge, starting)
                is_starting = charge.memory.state is InstanceState.STARTING
                starting += is_starting - was_starting
            if count % YIELD_EVERY == 0:
                gevent.sleep(0)
        self._tell_brokers()
        self.passed_at = self._clock.monotonic()

    def _adopt(self) -> None:
        """Take over living workers; those of deleted instances too, for they must be stopped."""
        owned: dict[str, Instance] = {
            record.name: record for record in self._replica.instances_owned()
        }
        found = dict(self._workers.find(list(owned)))
        for name in self._workers.strays(list(owned)):
            tombstone = self._replica.instance_or_tombstone(name)
            if tombstone is None:
                self._journal.record(
                    "instance.stray",
                    "its worker runs in this branch's directory, but there is no record of it; "
                    "it is left alone: create the instance again to adopt it, or stop it by hand",
                    instance=name,
                )
                continue
            owned[name] = tombstone
            living = self._workers.find([name])
            found.update(living)
            if not living:
                self._workers.sweep(name)
        for name, process in found.items():
            self._adopt_one(owned[name], process)

    def _adopt_one(self, record: Instance, process: Process) -> None:
        intent = self._intents(record, restarts_asked=0)
        memory = reconcile.adopted(process, intent.wish, self._clock.monotonic())
        self._take_charge(record, intent, memory)
        self._journal.record(
            "instance.adopted",
            f"its worker was running already, as process {process.pid}",
            app=record.app,
            instance=record.name,
        )

    def _take_charge(self, record: Instance, intent: Intent, memory: Memory) -> None:
        self._charges[record.name] = Charge(
            name=record.name,
            app=record.app,
            intent=intent,
            memory=memory,
            since_wall=self._clock.wall(),
        )

    def _note_change(
        self,
        records: Sequence[Record],
        here: bool,  # noqa: ARG002 - what is to run is the same, whoever wrote it
    ) -> None:
        """Remember whose intents the records may have changed."""
        for record in records:
            match record:
                case Instance():
                    self._stale.add(record.name)
                case App():
                    self._stale.update(i.name for i in self._replica.instances_of(record.name))
                case Queue():
                    self._stale.update(
                        i.name
                        for i in self._replica.instances_of(record.app)
                        if record.name in i.queues
                    )
        self._wake.set()

    def _refresh(self) -> None:
        """Read again what changed; instances that are new come into our care."""
        stale, self._stale = self._stale, set()
        for name in stale:
            record = self._replica.instance_or_tombstone(name)
            charge = self._charges.get(name)
            if record is None or record.owner != self._branch_id:
                if charge is not None:
                    charge.intent = charge.intent.unwanted(
                        "it belongs to another branch now", removed=True
                    )
                continue
            if charge is None and record.deleted:
                continue
            asked = charge.restarts_asked if charge is not None else 0
            intent = self._intents(record, restarts_asked=asked)
            if self._stopping_all:
                intent = intent.unwanted(
                    "its branch stops all its workers", removed=intent.wish.removed
                )
            if charge is None:
                self._take_charge(record, intent, Memory(since=self._clock.monotonic()))
            else:
                charge.app, charge.intent = record.app, intent

    def _take_answers(self) -> None:
        answers = self._brokers.take_answers()
        for charge in self._charges.values() if answers else ():
            charge.answer = answers.get(self._node(charge.name), charge.answer)

    def _consider(self, charge: Charge, starting: int) -> None:
        """Decide about one instance; a fault in that is its own and concerns no other."""
        try:
            self._decide(charge, starting)
        except Exception:  # one instance must not cost the others their pass
            logger.exception("considering instance %s failed", charge.name)

    def _decide(self, charge: Charge, starting: int) -> None:
        process = charge.memory.process
        charge.look = self._workers.look(process) if process is not None else None
        decision = reconcile.decide(
            charge.intent.wish,
            charge.memory,
            self._sight(charge, starting),
            self._policy,
            name=charge.name,
            now=self._clock.monotonic(),
        )
        charge.answer = None
        self._accept(charge, decision)
        self._effects.perform(charge, decision.actions)

    def _sight(self, charge: Charge, starting: int) -> Sight:
        view = self._brokers.view_of(charge.intent.broker)
        memory, look, answer = charge.memory, charge.look, charge.answer
        last_words = ""
        if memory.state is InstanceState.STARTING and look is not None:
            if look.state is ProcessState.GONE:
                last_words = _last_words(self._workers.log_tail(charge.name, LOG_LINES_READ))
            # What was asked before this process was made, another one answered.
            if answer is not None and answer.asked_at < memory.since:
                answer = None
        return Sight(
            look=look,
            last_words=last_words,
            broker_up=view.up,
            broker_since=view.since,
            asked_at=answer.asked_at if answer is not None else None,
            report=answer.report if answer is not None else None,
            may_start=starting < self._parallel_starts,
            starts_under_way=starting,
        )

    def _accept(self, charge: Charge, decision: Decision) -> None:
        """Remember what was decided, and say why."""
        before, charge.memory = charge.memory, decision.memory
        if before.state is not charge.memory.state:
            charge.since_wall = self._clock.wall()
        for note in decision.notes:
            self._journal.record(note.kind, note.reason, app=charge.app, instance=charge.name)
        if before.state is not charge.memory.state:
            self._announce()

    def _acted(self, charge: Charge, discarded: bool) -> None:
        if discarded and self._charges.get(charge.name) is charge:
            del self._charges[charge.name]
            self._stale.add(charge.name)  # it may have been created again meanwhile
        self._announce()
        self._wake.set()

    def _announce(self) -> None:
        """Wake all who wait for a change; who comes later waits for the next."""
        told, self._changed = self._changed, Signalled()
        told.set()

    def _count(self, state: InstanceState) -> int:
        return sum(1 for charge in self._charges.values() if charge.memory.state is state)

    def _tell_brokers(self) -> None:
        """Say to every broker's watch which workers to ask, and which of them urgently."""
        by_broker: dict[Broker, list[Charge]] = {}
        for charge in self._charges.values():
            by_broker.setdefault(charge.intent.broker, []).append(charge)
        for broker, charges in by_broker.items():
            alive = [charge for charge in charges if charge.memory.process is not None]
            self._brokers.tell(
                broker,
                Watched(
                    nodes=tuple(self._node(charge.name) for charge in alive),
                    urgent=tuple(
                        self._node(charge.name) for charge in alive if self._is_urgent(charge)
                    ),
                    limits_wanted=any(_limits_unknown(charge) for charge in alive),
                ),
            )

    def _is_urgent(self, charge: Charge) -> bool:
        memory = charge.memory
        if memory.state is InstanceState.STARTING:
            return True
        return (
            memory.state is InstanceState.RUNNING
            and memory.answered_since is None
            and self._clock.monotonic() - memory.since < ADOPTION_S
        )

    def _node(self, instance: str) -> str:
        return node_name(instance, self._branch_id)


def _limits_unknown(charge: Charge) -> bool:
    return (
        charge.intent.wish.limits is not None
        and charge.memory.limits is None
        and charge.memory.answered_since is not None
    )


def _last_words(lines: Sequence[str]) -> str:
    """Return the line of a log that most likely says why a worker ended."""
    told = [line.strip() for line in lines if line.strip()]
    errors = [line for line in told if "Error" in line or "CRITICAL" in line]
    words = (errors or told or [""])[-1]
    return words[:LAST_WORDS_CHARS_MAX]

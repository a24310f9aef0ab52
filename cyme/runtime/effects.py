"""Effects: what the core decided about an instance is done here.

What concerns its process (start, signal, sweep, discard) is done one after the other while the
instance is left alone; what goes through remote control is done beside the passes. Both run in
one bounded pool, and tell the supervisor what came of it through ``accept``.

An effect may wait for its turn, or for a broker, while the whole process stands still. So right
before anything is done it is asked again whether it may be; what may not is decided anew later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gevent.pool import Pool

from cyme.core import reconcile
from cyme.core.model import EPOCH_STAMP, AppName, Queue, QueueName
from cyme.core.ports import Clock, Control, Workers
from cyme.core.restraint import withheld
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
    Signal,
    Start,
    Sweep,
)
from cyme.errors import BrokerRefused, CymeError
from cyme.runtime.brokers import Brokers
from cyme.runtime.charges import Charge
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

CONTROL_TIMEOUT_S = 5.0

#: Effects under way at once; further ones make the pass wait, which is the wanted brake.
EFFECTS_MAX = 200


class _Withheld(Exception):
    """Nothing may be done about the instance at this moment; the message says why."""


class Effects:
    """Performs actions.

    Args:
        replica: For the declarations of queues.
        workers: For processes.
        brokers: For remote control.
        journal: For what is worth telling.
        clock: Time.
        policy: The supervisor's patience.
        node_of: Returns the Celery node name of an instance.
        restraint: Returns why nothing may be done about an instance now, or nothing.
        accept: Takes a decision that an effect led to.
        done: Called when an exclusive effect ended; with True when the instance was discarded.
    """

    def __init__(
        self,
        *,
        replica: Replica,
        workers: Workers,
        brokers: Brokers,
        journal: Journal,
        clock: Clock,
        policy: Policy,
        node_of: Callable[[str], str],
        restraint: Callable[[Charge], str],
        accept: Callable[[Charge, Decision], None],
        done: Callable[[Charge, bool], None],
    ) -> None:
        self._replica = replica
        self._workers = workers
        self._brokers = brokers
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._node_of = node_of
        self._restraint = restraint
        self._accept = accept
        self._done = done
        self._pool = Pool(EFFECTS_MAX)

    def stop(self, timeout_s: float) -> None:
        """Let what is under way end, then end it."""
        self._pool.join(timeout=timeout_s)
        self._pool.kill(timeout=timeout_s)

    def perform(self, charge: Charge, actions: Sequence[Action], before: Memory) -> None:
        """Have the actions done; returns at once, unless ``EFFECTS_MAX`` are under way.

        Args:
            charge: The instance.
            actions: What was decided.
            before: What was remembered before that was decided.
        """
        on_process = [a for a in actions if isinstance(a, Start | Signal | Sweep | Discard)]
        by_remote = [a for a in actions if isinstance(a, AddConsumer | CancelConsumer | Autoscale)]
        if on_process:
            charge.busy = True
            self._pool.spawn(self._act, charge, on_process, before)
        if by_remote:
            self._pool.spawn(self._command, charge, by_remote)

    # --- on the process -------------------------------------------------------------------------

    def _act(
        self,
        charge: Charge,
        actions: Sequence[Start | Signal | Sweep | Discard],
        before: Memory,
    ) -> None:
        discarded = False
        try:
            for action in actions:
                self._insist(charge)
                self._act_once(charge, action)
                discarded = isinstance(action, Discard)
        except _Withheld as exc:
            note = Note("instance.withheld", f"what was decided is left undone: {exc}")
            self._accept(charge, Decision(withheld(before, charge.memory), notes=(note,)))
        except Exception:  # the top of a greenlet; the next pass finds what is left
            logger.exception("acting on instance %s failed", charge.name)
        finally:
            charge.busy = False
            self._done(charge, discarded)

    def _insist(self, charge: Charge) -> None:
        """Make sure that something may be done about an instance at this moment."""
        if why := self._restraint(charge):
            raise _Withheld(why)

    def _act_once(self, charge: Charge, action: Start | Signal | Sweep | Discard) -> None:
        match action:
            case Start():
                self._start(charge)
            case Signal(name):
                if charge.memory.process is not None:
                    self._workers.signal(charge.name, charge.memory.process, name)
                    # An idle worker looks up from its broker seldom, and a question wakes it.
                    self._brokers.look_soon(charge.intent.broker)
            case Sweep():
                self._sweep(charge)
            case Discard():
                self._workers.discard(charge.name)

    def _sweep(self, charge: Charge) -> None:
        if swept := self._workers.sweep(charge.name):
            self._journal.record(
                "instance.swept",
                f"its worker left {swept} processes behind, which were ended",
                app=charge.app,
                instance=charge.name,
            )

    def _start(self, charge: Charge) -> None:
        """Start the worker; whatever goes wrong, the core is told that there is none."""
        try:
            self._try_out_queues(charge)
            self._insist_on_start(charge)
            self._sweep(charge)  # a worker may have died while no branch was there to see it
            self._insist_on_start(charge)
            launch = charge.intent.launch(charge.memory.quarantined.keys())
            process = self._workers.start(launch)
        except _Withheld:
            raise
        except CymeError as exc:
            self._not_started(charge, exc.detail)
        except Exception as exc:
            logger.exception("starting the worker of instance %s failed", charge.name)
            self._not_started(charge, f"{type(exc).__name__} in the branch, see its log")
        else:
            wish, now = charge.intent.wish, self._clock.monotonic()
            self._accept(charge, Decision(reconcile.started(charge.memory, process, wish, now)))

    def _insist_on_start(self, charge: Charge) -> None:
        self._insist(charge)
        if not charge.intent.wish.runs:
            raise _Withheld(charge.intent.wish.why_not)

    def _not_started(self, charge: Charge, why: str) -> None:
        decision = reconcile.not_started(
            charge.intent.wish,
            charge.memory,
            why,
            self._policy,
            name=charge.name,
            now=self._clock.monotonic(),
        )
        self._accept(charge, decision)

    def _try_out_queues(self, charge: Charge) -> None:
        """Declare the queues from here first: a declaration that is refused ends a worker."""
        control = self._brokers.control(charge.intent.broker)
        for name in charge.intent.wish.queues:
            queue = self._replica.queue(charge.app, name)
            if queue is None:
                continue
            try:
                control.check_queue(queue, timeout_s=CONTROL_TIMEOUT_S)
            except BrokerRefused as exc:
                self._queue_refused(charge, name, exc)
            except CymeError as exc:
                logger.warning("queue %s could not be tried out: %s", name, exc)

    def _queue_refused(self, charge: Charge, queue: str, exc: BrokerRefused) -> None:
        self._accept(
            charge, reconcile.queue_refused(charge.intent.wish, charge.memory, queue, exc.detail)
        )

    # --- by remote control ----------------------------------------------------------------------

    def _command(
        self, charge: Charge, actions: Sequence[AddConsumer | CancelConsumer | Autoscale]
    ) -> None:
        """Tell the worker; what fails is found again by the next survey, which comes at once."""
        try:
            control = self._brokers.control(charge.intent.broker)
            for action in actions:
                self._insist(charge)
                self._command_once(charge, control, action)
        except (CymeError, _Withheld) as exc:
            logger.warning("instance %s could not be told: %s", charge.name, exc)
            came_of_it = reconcile.unsure
        except Exception:  # the top of a greenlet; the next survey shows what is true
            logger.exception("telling instance %s failed", charge.name)
            came_of_it = reconcile.unsure
        else:
            came_of_it = reconcile.commanded
        self._accept(charge, Decision(came_of_it(charge.memory, self._clock.monotonic())))
        self._brokers.look_soon(charge.intent.broker)

    def _command_once(
        self, charge: Charge, control: Control, action: AddConsumer | CancelConsumer | Autoscale
    ) -> None:
        node = self._node_of(charge.name)
        match action:
            case AddConsumer(name):
                self._add_consumer(charge, control, node, name)
            case CancelConsumer(name):
                control.cancel_consumer(node, name, timeout_s=CONTROL_TIMEOUT_S)
            case Autoscale(minimum, maximum):
                control.autoscale(node, minimum, maximum, timeout_s=CONTROL_TIMEOUT_S)

    def _add_consumer(self, charge: Charge, control: Control, node: str, name: str) -> None:
        queue = self._replica.queue(charge.app, name)
        if queue is None:  # the direct queue, which needs no record
            queue = Queue(app=AppName(charge.app), name=QueueName(name), stamp=EPOCH_STAMP)
        try:
            control.check_queue(queue, timeout_s=CONTROL_TIMEOUT_S)
            control.add_consumer(node, queue, timeout_s=CONTROL_TIMEOUT_S)
        except BrokerRefused as exc:
            self._queue_refused(charge, name, exc)

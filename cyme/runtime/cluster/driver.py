"""Drives the node of this branch: brings it what happens, and performs what it decides.

Laws:

* The node is called from many greenlets, but no call of it switches, so one is over before the
  next begins. Effects are performed in the order in which they were decided.
* Performing an effect never waits. What takes its time (the disk, a broker, a worker, a call)
  goes to a bounded pool or queue, and what it comes to returns to the node as an input.
* After a stall the sockets are drained before the node sees the time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Signalled

from cyme.core.cluster.effects import (
    Abandon,
    Absorb,
    Effect,
    Examine,
    Halt,
    Listen,
    Perform,
    Prepare,
    Publish,
    Remember,
    Reply,
    Send,
    Settle,
    Tell,
    Write,
)
from cyme.core.cluster.node import LAG_S_MAX, TICK_S, Node, NodeSettings
from cyme.core.cluster.ownership import Verdict
from cyme.core.model import Instance, Record
from cyme.core.ports import Clock, Links
from cyme.core.status import InstanceStatus
from cyme.errors import CymeError
from cyme.runtime.cluster.absorbing import Absorbing
from cyme.runtime.cluster.chores import Chores
from cyme.runtime.cluster.helpers import Examination, Hands, Performer
from cyme.runtime.cluster.post import Post
from cyme.runtime.cluster.ration import Ration
from cyme.runtime.cluster.remembering import Remembering
from cyme.runtime.cluster.seldom import Seldom
from cyme.runtime.cluster.serving import Serving
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

#: A branch that was not ticked for so long does not act until it has been, in seconds: longer
#: than a hub is busy, and far shorter than it takes others to act in its place.
LEASE_S = 3.0

#: After a stall what waits at the sockets is taken in for so long before time goes on, in seconds.
DRAIN_S = 0.2

WRITE_TIMEOUT_S = 10.0

EXAMINATIONS_MAX = 8
WRITES_MAX = 64

#: Events of branches: so many at once, as when a cluster forms, and so many a second later.
TOLD_AT_ONCE_MAX = 500
TOLD_PER_S = 2.0

#: Each part has so long to end, the last words to go out among them, in seconds.
PART_STOP_TIMEOUT_S = 1.0


class Driver:
    """Drives the node.

    Args:
        settings: What the node is told at its start.
        cluster: The cluster's tag in every frame.
        links: The sockets.
        replica: The records, which must be loaded.
        journal: Where events are told.
        clock: Time.
        remember: Keeps the addresses of known branches; called in a greenlet of its own.
        on_halt: Ends the branch; called at most once, with the reason.
    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        cluster: bytes,
        links: Links,
        replica: Replica,
        journal: Journal,
        clock: Clock,
        remember: Callable[[tuple[str, ...]], None],
        on_halt: Callable[[str], None],
    ) -> None:
        self.node = Node(settings, replica.records())
        self._links = links
        self._replica = replica
        self._journal = journal
        self._clock = clock
        self._on_halt = on_halt
        self._hands: Hands | None = None
        self._examine: Examination | None = None
        self._effects: deque[Effect] = deque()
        self._performing = False
        self._absorbing = Absorbing(replica, clock, self._not_absorbed)
        self._seldom = Seldom(logger, clock)
        self._post = Post(cluster, links, self._seldom)
        self._remembering = Remembering(remember, self._seldom)
        self._calls: dict[str, AsyncResult[Settle]] = {}
        self._taken: dict[str, AsyncResult[str]] = {}
        self._why_not: dict[str, str] = {}
        self._examinations = Chores(EXAMINATIONS_MAX, self._seldom)
        self._writes = Chores(WRITES_MAX, self._seldom)
        self._serving = Serving(self._answer, clock, self._seldom)
        self._ticking: gevent.Greenlet | None = None
        self._rests = False  # whether the next tick may come late, as nothing is under way
        self._stirred = Signalled()
        self._joined = Signalled()
        self._halted = ""
        self._ticked_at = float("-inf")
        self._ration = Ration(TOLD_AT_ONCE_MAX, TOLD_PER_S)

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take part in the cluster."""
        self._replica.listen(self._on_applied)
        self._replica.listen_forgotten(self._on_forgotten)
        self._links.start(self)
        now = self._clock.monotonic()
        self._ticked_at = now
        self.do(self.node.start(now))
        self._absorbing.start()
        self._remembering.start()
        self._ticking = gevent.spawn(self._tick)

    def attach(self, hands: Hands, examine: Examination) -> None:
        """Say who starts workers, and who examines whether they may be started."""
        self._hands, self._examine = hands, examine

    def serve(self, perform: Performer) -> None:
        """Say who performs the calls of other branches; until then they are refused."""
        self._serving.begin(perform)

    def wait_joined(self, timeout_s: float) -> str:
        """Wait until the start is over; return why the branch has to end, or nothing."""
        self._joined.wait(timeout_s)
        return self._halted

    def leave(self, timeout_s: float) -> None:
        """Say that this branch is about to stop, and finish the calls of others."""
        self.do(self.node.leave(self.now()))
        self._serving.finish(timeout_s)

    def stop(self) -> None:
        """Say that this branch has stopped, and close the sockets."""
        self.do(self.node.left(self.now()))
        if self._ticking is not None:
            self._ticking.kill(timeout=PART_STOP_TIMEOUT_S)
        self._absorbing.stop(PART_STOP_TIMEOUT_S)
        for part in (self._serving, self._examinations, self._writes):
            part.stop(PART_STOP_TIMEOUT_S)
        self._remembering.stop(PART_STOP_TIMEOUT_S)
        self._links.stop(PART_STOP_TIMEOUT_S)

    # --- what others ask ------------------------------------------------------------------------

    @property
    def faults(self) -> int:
        """How many messages were dropped because they were not of the protocol."""
        return self._post.faults

    def now(self) -> float:
        """Return the node's time."""
        return self._clock.monotonic()

    def may_act(self) -> bool:
        """Tell whether this branch may act on what it owns."""
        return not self.node.fenced and self._clock.monotonic() - self._ticked_at < LEASE_S

    def keeps(self, instance: str) -> bool:
        """Tell whether a worker is to run on here although another branch owns its instance."""
        return self.node.keeps(instance)

    def on_status(self, instance: str, status: InstanceStatus) -> None:
        """Take in how an instance that runs here is."""
        self.do(self.node.on_status(self.now(), instance, status))

    def on_prepared(self, instance: Instance, running: bool, why: str) -> None:
        """Take in what preparing a worker came to."""
        if not running:
            self._why_not[instance.name] = why
        self.do(self.node.on_prepared(self.now(), instance, running=running, why=why))

    def settlement(self, call: str) -> AsyncResult[Settle]:
        """Return where the end of a call of this id will be told."""
        result: AsyncResult[Settle] = AsyncResult()
        self._calls[call] = result
        return result

    def forget_call(self, call: str) -> None:
        """Take note that nobody waits for a call any more."""
        self._calls.pop(call, None)

    def taking(self, instance: str) -> AsyncResult[str]:
        """Return where it will be told why an instance could not be taken; empty if it was."""
        return self._taken.setdefault(instance, AsyncResult())

    def do(self, effects: Sequence[Effect]) -> None:
        """Perform effects, after those that are being performed already."""
        self._effects.extend(effects)
        if self._performing:
            return
        self._performing = True
        try:
            while self._effects:
                self._do_one(self._effects.popleft())
        finally:
            self._performing = False
        if self._rests and not self.node.calm:
            self._stirred.set()

    # --- the inlet ------------------------------------------------------------------------------

    def on_published(self, frames: Sequence[bytes]) -> None:
        """Take a message that another branch published."""
        message = self._post.unpacked(frames, published=True)
        if message is not None:
            self.do(self.node.on_message(self.now(), None, message))

    def on_directed(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Take a message that was sent to this branch."""
        message = self._post.unpacked(frames, published=False)
        if message is not None:
            self.do(self.node.on_message(self.now(), link, message))

    def on_found(self, endpoint: str) -> None:
        """Take note of a branch that the beacon found."""
        self.do(self.node.on_found(self.now(), endpoint))

    # --- what happens to the records ------------------------------------------------------------

    def _on_applied(self, records: Sequence[Record], here: bool) -> None:
        self.do(self.node.on_applied(self.now(), records, here=here))
        for record in records:
            if isinstance(record, Instance) and record.owner == self._replica.branch_id:
                self._settle_take(record.name, "")

    def _on_forgotten(self, records: Sequence[Record]) -> None:
        self.do(self.node.on_forgotten(self.now(), records))

    # --- effects --------------------------------------------------------------------------------

    def _do_one(self, effect: Effect) -> None:
        match effect:
            case Publish():
                self._post.publish(effect.message)
            case Send():
                self._post.send(effect.endpoint, effect.message)
            case Reply():
                self._post.reply(effect.link, effect.message)
            case Listen():
                self._links.listen(effect.endpoints)
            case Tell():
                self._record(effect)
            case Remember():
                self._remembering.take(effect.endpoints)
            case Halt():
                self._halt(effect.reason)
            case Settle():
                self._settle(effect)
            case _:
                self._begin(effect)

    def _begin(self, effect: Effect) -> None:
        """Begin what takes its time."""
        match effect:
            case Absorb():
                self._absorbing.take(effect.records)
            case Write():
                self._writes.run(self._write, effect.instance)
            case Examine():
                self._examinations.run(self._find_out, effect.instance)
            case Prepare():
                self._prepare(effect.instance)
            case Abandon():
                self._abandon(effect.instance)
            case Perform():
                self._serving.take(effect)

    def _record(self, told: Tell) -> None:
        """Tell the journal; what is said of branches comes from others, and so has a limit."""
        if told.instance is None and not self._ration.take(self.now()):
            self._seldom.warn(
                "an event was left out, as were others", f"{told.kind}, {told.reason}"
            )
            return
        self._journal.record(
            told.kind, told.reason, app=told.app, instance=told.instance, **told.data
        )

    def _answer(self, call: str, ok: bool, value: bytes) -> None:
        self.do(self.node.on_performed(self.now(), call, ok=ok, value=value))

    def _halt(self, reason: str) -> None:
        if not self._halted:
            self._halted = reason
            self._joined.set()
            self._on_halt(reason)

    def _settle(self, settle: Settle) -> None:
        result = self._calls.pop(settle.call, None)
        if result is not None:
            result.set(settle)

    def _settle_take(self, instance: str, why_not: str) -> None:
        self._why_not.pop(instance, None)
        result = self._taken.pop(instance, None)
        if result is not None:
            result.set(why_not)

    def _prepare(self, instance: Instance) -> None:
        if self._hands is None:
            gevent.spawn(self.on_prepared, instance, False, "this branch is still starting")
        else:
            self._hands.prepare(instance)

    def _abandon(self, instance: Instance) -> None:
        why = self._why_not.get(
            instance.name, "it took too long, or the instance changed meanwhile"
        )
        self._settle_take(instance.name, why)
        if self._hands is not None:
            self._hands.abandon(instance.name)

    # --- what takes its time --------------------------------------------------------------------

    def _not_absorbed(self, records: Sequence[Record]) -> None:
        self.do(self.node.on_not_absorbed(self.now(), records))

    def _write(self, instance: Instance) -> None:
        try:
            self._replica.commit([instance], WRITE_TIMEOUT_S)
        except CymeError as exc:
            self._seldom.warn("a change of ownership could not be stored", exc.detail)
            self.do(self.node.on_not_written(self.now(), instance))

    def _find_out(self, instance: Instance) -> None:
        verdict, why = Verdict.BROKER_AWAY, "this branch is still starting"
        if self._examine is not None:
            verdict, why = self._examine(instance)
        self.do(self.node.on_examined(self.now(), instance, verdict, why))

    # --- time -----------------------------------------------------------------------------------

    def _tick(self) -> None:
        while True:
            pause_s = self._rest()
            if self.now() - self._ticked_at > LAG_S_MAX + pause_s:
                gevent.sleep(DRAIN_S)
            try:
                self._tick_once()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("a tick of the cluster failed")

    def _rest(self) -> float:
        """Wait until the next tick is due, and return how long that was to be, in seconds."""
        pause_s = self.node.pause_s(self.now())
        if pause_s <= TICK_S:
            gevent.sleep(pause_s)
            return pause_s
        self._stirred.clear()
        self._rests = True
        if self._stirred.wait(pause_s):
            gevent.sleep(TICK_S)
        self._rests = False
        return pause_s

    def _tick_once(self) -> None:
        could_act = self.may_act()
        now = self.now()
        self.do(self.node.on_tick(now))
        self._ticked_at = now
        if self.node.joined:
            self._joined.set()
        if self._hands is not None and not could_act and self.may_act():
            self._hands.nudge()

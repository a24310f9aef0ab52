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
from typing import Protocol

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Signalled
from gevent.pool import Pool

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
from cyme.core.cluster.messages import Message
from cyme.core.cluster.node import LAG_S_MAX, TICK_S, Node, NodeSettings
from cyme.core.cluster.ownership import Verdict
from cyme.core.model import Instance, Record
from cyme.core.ports import Clock, Links
from cyme.core.status import InstanceStatus
from cyme.errors import CymeError, Overloaded, ProtocolError, Unavailable
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.absorbing import Absorbing
from cyme.runtime.cluster.encoding import encode_error
from cyme.runtime.cluster.ration import Ration
from cyme.runtime.cluster.seldom import Seldom
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
PERFORMING_MAX = 256

#: Events of branches: so many at once, as when a cluster forms, and so many a second later.
TOLD_AT_ONCE_MAX = 500
TOLD_PER_S = 2.0

#: Each part has so long to end, the last words to go out among them, in seconds.
PART_STOP_TIMEOUT_S = 1.0


class Hands(Protocol):
    """Who starts and stops workers: the supervisor."""

    def prepare(self, instance: Instance) -> None:
        """Run the worker of an instance that another branch owns."""

    def abandon(self, name: str) -> None:
        """Stop a worker that was prepared, unless it is ours by now."""

    def reconsider(self, name: str) -> None:
        """Look at an instance again, as it is kept no more."""

    def nudge(self) -> None:
        """Make a pass at once."""


class Performer(Protocol):
    """Who performs a call for another branch; returns whether it went well, and the value."""

    def __call__(self, method: str, arguments: bytes, *, timeout_s: float) -> tuple[bool, bytes]:
        """Perform a call."""

    def waits(self, method: str) -> bool:
        """Tell whether a call may take long without doing anything, as one that only reads."""


Examination = Callable[[Instance], tuple[Verdict, str]]


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

    Attributes:
        faults: Messages that were dropped because they were not of the protocol.
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
        self._cluster = cluster
        self._links = links
        self._replica = replica
        self._journal = journal
        self._clock = clock
        self._remember = remember
        self._on_halt = on_halt
        self._hands: Hands | None = None
        self._examine: Examination | None = None
        self._perform: Performer | None = None
        self._effects: deque[Effect] = deque()
        self._performing = False
        self._absorbing = Absorbing(replica, clock, self._not_absorbed)
        self._seldom = Seldom(logger, clock)
        self._to_remember: tuple[str, ...] | None = None
        self._wake_memory = Signalled()
        self._calls: dict[str, AsyncResult[Settle]] = {}
        self._taken: dict[str, AsyncResult[str]] = {}
        self._why_not: dict[str, str] = {}
        self._examinations = Pool(EXAMINATIONS_MAX)
        self._writes = Pool(WRITES_MAX)
        self._performed = Pool(PERFORMING_MAX)
        self._waiting = Pool(PERFORMING_MAX)  # of its own, so that who waits holds up no write
        self._greenlets: list[gevent.Greenlet] = []
        self._joined = Signalled()
        self._halted = ""
        self._ticked_at = float("-inf")
        self._ration = Ration(TOLD_AT_ONCE_MAX, TOLD_PER_S)
        self.faults = 0

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
        self._greenlets = [gevent.spawn(self._tick), gevent.spawn(self._remember_in_turn)]

    def attach(self, hands: Hands, examine: Examination) -> None:
        """Say who starts workers, and who examines whether they may be started."""
        self._hands, self._examine = hands, examine

    def serve(self, perform: Performer) -> None:
        """Say who performs the calls of other branches; until then they are refused."""
        self._perform = perform

    def wait_joined(self, timeout_s: float) -> str:
        """Wait until the start is over; return why the branch has to end, or nothing."""
        self._joined.wait(timeout_s)
        return self._halted

    def leave(self, timeout_s: float) -> None:
        """Say that this branch is about to stop, and finish the calls of others."""
        self.do(self.node.leave(self.now()))
        self._perform = None
        self._performed.join(timeout=timeout_s)

    def stop(self) -> None:
        """Say that this branch has stopped, and close the sockets."""
        self.do(self.node.left(self.now()))
        gevent.killall(self._greenlets, timeout=PART_STOP_TIMEOUT_S)
        self._absorbing.stop(PART_STOP_TIMEOUT_S)
        for pool in (self._performed, self._waiting, self._examinations, self._writes):
            pool.kill(timeout=PART_STOP_TIMEOUT_S)
        if self._to_remember is not None:
            self._remember(self._to_remember)
        self._links.stop(PART_STOP_TIMEOUT_S)

    # --- what others ask ------------------------------------------------------------------------

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

    # --- the inlet ------------------------------------------------------------------------------

    def on_published(self, frames: Sequence[bytes]) -> None:
        """Take a message that another branch published."""
        message = self._unpacked(frames, published=True)
        if message is not None:
            self.do(self.node.on_message(self.now(), None, message))

    def on_directed(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Take a message that was sent to this branch."""
        message = self._unpacked(frames, published=False)
        if message is not None:
            self.do(self.node.on_message(self.now(), link, message))

    def on_found(self, endpoint: str) -> None:
        """Take note of a branch that the beacon found."""
        self.do(self.node.on_found(self.now(), endpoint))

    def _unpacked(self, frames: Sequence[bytes], *, published: bool) -> Message | None:
        try:
            return wire.unpack(frames, cluster=self._cluster, published=published)
        except ProtocolError as exc:
            self.faults += 1
            self._seldom.warn("a message was dropped", exc.detail)
            return None

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
                self._pack_and(self._links.publish, effect.message)
            case Send():
                self._pack_and(
                    lambda frames: self._links.send(effect.endpoint, frames), effect.message
                )
            case Reply():
                self._pack_and(
                    lambda frames: self._links.reply(effect.link, frames), effect.message
                )
            case Listen():
                self._links.listen(effect.endpoints)
            case Tell():
                self._record(effect)
            case Remember():
                self._to_remember = effect.endpoints
                self._wake_memory.set()
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
                self._spawn(self._writes, self._write, effect.instance)
            case Examine():
                self._spawn(self._examinations, self._find_out, effect.instance)
            case Prepare():
                self._prepare(effect.instance)
            case Abandon():
                self._abandon(effect.instance)
            case Perform():
                self._take_call(effect)

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

    def _take_call(self, asked: Perform) -> None:
        """Begin to perform a call of another branch, or answer at once that there are too many."""
        waits = self._perform is not None and self._perform.waits(asked.method)
        pool = self._waiting if waits else self._performed
        if pool.full():
            busy = encode_error(
                Overloaded("The branch performs too many calls already. Try again.")
            )
            self._answer(asked.call, ok=False, value=busy)
        else:
            self._spawn(pool, self._serve_call, asked)

    def _answer(self, call: str, *, ok: bool, value: bytes) -> None:
        self.do(self.node.on_performed(self.now(), call, ok=ok, value=value))

    def _pack_and(self, send: Callable[[Sequence[bytes]], None], message: Message) -> None:
        try:
            frames = wire.pack(message, cluster=self._cluster)
        except CymeError as exc:
            self._seldom.warn("a message could not be sent", exc.detail)
            return
        send(frames)

    def _spawn(self, pool: Pool, perform: Callable[..., None], *arguments: object) -> None:
        """Run something in a pool; what finds it full is not done, and will be asked for again."""
        if pool.full():
            self._seldom.warn("too much to do at once", perform.__name__)
            return
        pool.spawn(self._guarded, perform, *arguments)

    def _guarded(self, perform: Callable[..., None], *arguments: object) -> None:
        try:
            perform(*arguments)
        except Exception:  # the top of a greenlet: there is nobody above to raise to
            logger.exception("%s failed", perform.__name__)

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

    def _serve_call(self, asked: Perform) -> None:
        ok, value = False, encode_error(Unavailable("The branch is starting or stopping."))
        if self._perform is not None:
            left_s = max(0.0, asked.deadline - self.now())
            ok, value = self._perform(asked.method, asked.arguments, timeout_s=left_s)
        self._answer(asked.call, ok=ok, value=value)

    def _remember_in_turn(self) -> None:
        while True:
            self._wake_memory.wait()
            self._wake_memory.clear()
            endpoints, self._to_remember = self._to_remember, None
            if endpoints is None:
                continue
            try:
                self._remember(endpoints)
            except CymeError as exc:
                self._seldom.warn("the addresses of branches could not be kept", exc.detail)
            gevent.sleep(TICK_S)

    # --- time -----------------------------------------------------------------------------------

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            if self.now() - self._ticked_at > LAG_S_MAX + TICK_S:
                gevent.sleep(DRAIN_S)
            try:
                self._tick_once()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("a tick of the cluster failed")

    def _tick_once(self) -> None:
        could_act = self.may_act()
        now = self.now()
        self.do(self.node.on_tick(now))
        self._ticked_at = now
        if self.node.joined:
            self._joined.set()
        if self._hands is not None and not could_act and self.may_act():
            self._hands.nudge()

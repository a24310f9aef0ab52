"""The node: its inputs and deeds, each with the effects that follow."""

from __future__ import annotations

from collections.abc import Sequence

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import (
    Effect,
    Link,
    Publish,
    Send,
    Settle,
)
from cyme.core.cluster.items import (
    joined,
    key_of,
)
from cyme.core.cluster.members import Profile
from cyme.core.cluster.messages import (
    Message,
)
from cyme.core.cluster.node.ticking import COMPARE_S, COMPARE_SPREAD, TRY_FAILED_S, Ticking
from cyme.core.cluster.ownership import Verdict
from cyme.core.model import BranchId, Instance, InstanceName, Record
from cyme.core.status import InstanceStatus


class Node(Ticking):
    """One branch of the cluster.

    Every method takes the time in monotonic seconds, which never falls, and returns the effects
    to be performed in order.
    """

    # --- inputs ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Begin: greet those who were known."""
        self._ticked_at = now
        self._joining.start(now)
        self._fence.start(now)
        self._say_of_myself()
        self._next_beat = now
        self._next_compare = now + self._dice.around(COMPARE_S, COMPARE_SPREAD)
        self._next_try = now + self._dice.around(TRY_FAILED_S, COMPARE_SPREAD)
        self._greet(now)
        return self._done(now)

    def on_tick(self, now: float) -> list[Effect]:
        """Do what is due.

        It is to be called after each ``pause_s``, or every ``TICK_S`` by who does not ask for
        that, and after a stall only when what arrived meanwhile was taken in.
        """
        self._mind_stall(now)
        self._go_on_joining(now)
        self._go_on_fencing(now)
        self._beat(now)
        self._detect(now)
        self._compare(now)
        self._try_failed(now)
        self._forget_gone(now)
        self._out += self._calls.on_tick(now, self._sender)
        if self._joining.joined:
            self._out += self._ownership.on_tick(now, self._view)
        return self._done(now)

    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        """Take in a message; ``link`` leads back to its sender, None if it was published."""
        if message.sender.branch != self._me:
            self._fence.heard()
            self._hear(now, link, message)
            self._take(now, link, message)
        elif link is not None:
            self._take_from_rival(now, link, message)
        return self._done(now)

    def on_found(self, now: float, endpoint: str) -> list[Effect]:
        """Take in that the beacon found a branch's ROUTER socket."""
        present = {member.statement.profile.calls_at for member in self._members.present()}
        if endpoint != self._profile.calls_at and endpoint not in present:
            self._out.append(Send(endpoint, self._hello()))
        return self._done(now)

    def on_applied(self, now: float, records: Sequence[Record], *, here: bool) -> list[Effect]:
        """Take in that records are durable and applied; ``here``: written by this branch."""
        for record in records:
            key = key_of(record)
            before = self._table.get(key)
            after = joined(before, record)
            self._absorbed(key, after)
            if after is before:
                continue
            self._table.put(after)
            if here:
                self._outbox.tell(record)
            if isinstance(after, Instance):
                known = before if isinstance(before, Instance) else None
                self._changed(now, known, after)
        return self._done(now)

    def on_not_absorbed(self, now: float, records: Sequence[Record]) -> list[Effect]:
        """Take in that records of others were refused, or could not be stored."""
        for record in records:
            self._absorbing.pop(key_of(record), None)
        return self._done(now)

    def on_forgotten(self, now: float, records: Sequence[Record]) -> list[Effect]:
        """Take in that tombstones were forgotten after their time."""
        for record in records:
            key = key_of(record)
            if self._table.get(key) == record:
                self._table.drop(key)
                self._view.forget(record)
        return self._done(now)

    def on_not_written(self, now: float, instance: Instance) -> list[Effect]:
        """Take in that a ``Write`` failed."""
        self._out += self._ownership.on_not_written(now, self._view, instance)
        return self._done(now)

    def on_examined(
        self, now: float, instance: Instance, verdict: Verdict, why: str = ""
    ) -> list[Effect]:
        """Take in what an ``Examine`` came to."""
        self._mind_long_stall(now)
        self._out += self._ownership.on_examined(now, self._view, instance, verdict, why)
        return self._done(now)

    def on_prepared(
        self, now: float, instance: Instance, *, running: bool, why: str = ""
    ) -> list[Effect]:
        """Take in what a ``Prepare`` came to."""
        self._mind_long_stall(now)
        self._out += self._ownership.on_prepared(
            now, self._view, instance, running=running, why=why
        )
        return self._done(now)

    def on_status(self, now: float, instance: str, status: InstanceStatus) -> list[Effect]:
        """Take in that the state of an instance that runs here changed."""
        self._statuses[InstanceName(instance)] = status
        record = self._view.instance(instance)
        if record is not None:
            self._tell_news(record)
        return self._done(now)

    def on_performed(self, now: float, call: str, *, ok: bool, value: bytes) -> list[Effect]:
        """Take in what a ``Perform`` came to."""
        self._out += self._calls.on_performed(now, self._sender, call, ok=ok, value=value)
        return self._done(now)

    # --- deeds of this branch -------------------------------------------------------------------

    def call(
        self,
        now: float,
        *,
        call: str,
        target: BranchId,
        method: str,
        arguments: bytes,
        timeout_s: float,
        hops: int = 0,
    ) -> list[Effect]:
        """Ask another branch to perform a call; exactly one ``Settle`` follows by the deadline."""
        member = self._members.get(target)
        if member is None or not member.present:
            state = "not known" if member is None else member.state.value
            self._out.append(
                Settle(call, ok=False, value=None, why=f"branch {target!r} is {state}")
            )
            return self._done(now)
        self._out += self._calls.call(
            now,
            self._sender,
            call=call,
            target=target,
            endpoint=member.statement.profile.calls_at,
            boot=member.statement.boot,
            method=method,
            arguments=arguments,
            timeout_s=timeout_s,
            hops=hops,
        )
        return self._done(now)

    def take(self, now: float, instance: Instance) -> list[Effect]:
        """Begin to take an instance over from its living owner, which asks for it."""
        self._mind_long_stall(now)
        self._out += self._ownership.take(now, self._view, instance)
        return self._done(now)

    def change_profile(self, now: float, profile: Profile) -> list[Effect]:
        """Say something else of this branch; its endpoints and nonce stay."""
        self._profile = profile
        self._incarnation += 1
        self._say_of_myself()
        return self._done(now)

    def leave(self, now: float) -> list[Effect]:
        """Say that this branch is about to stop; its workers stay, and it is expected back."""
        self._state = BranchState.LEAVING
        self._incarnation += 1
        self._say_of_myself()
        return self._done(now)

    def left(self, now: float) -> list[Effect]:
        """Say that this branch has stopped, with all that waits, thrice: nobody can ask again."""
        self._state = BranchState.LEFT
        self._incarnation += 1
        self._say_of_myself()
        words: list[Effect] = []
        while self._outbox.waits:
            words.append(Publish(self._outbox.flush(now, self._sender)))
        self._out += words * 3
        return self._done(now)

"""What a node does when its time has come."""

from __future__ import annotations

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import (
    Publish,
    Send,
)
from cyme.core.cluster.fence import STALL_S
from cyme.core.cluster.membership import accused
from cyme.core.cluster.messages import (
    Beat,
    PingRequest,
)
from cyme.core.cluster.node.ground import CONFRONT_S, TICK_S
from cyme.core.cluster.node.listening import Listening
from cyme.core.model import BranchId

#: A node in which nothing is under way is ticked so seldom, in seconds.
CALM_TICK_S = 0.5

BEAT_S = 1.0
BEAT_SPREAD = 0.1

#: So much of a lateness is left after each ``TICK_S`` without another one.
LAG_KEPT = 0.9

#: Late by more than this the hub could hear nobody, so everybody is forgiven, in seconds.
LAG_S_MAX = 0.5

#: What one branch knows is compared with what another one does, in seconds.
COMPARE_S = 10.0
COMPARE_SPREAD = 0.2

#: Those who came back are compared with soon, one after the other, in seconds.
COMPARE_RETURNED_S = 0.5

#: A branch that has failed is asked now and then whether it is back, in seconds.
TRY_FAILED_S = 3.0

#: Others that are asked to ping whoever is silent.
HELPERS = 3

#: A record that was to be written and was not heard of any more is given up, in seconds.
ABSORB_S = 30.0

#: Who and what is gone for good is looked for so often, in seconds.
FORGET_PERIOD_S = 60.0


class Ticking(Listening):
    """Does what is due."""

    # --- time -----------------------------------------------------------------------------------

    @property
    def calm(self) -> bool:
        """Whether nothing is under way that the next tick could bring further."""
        return (
            self._joining.joined
            and not self._joining.checking
            and not self._fence.up
            and not self._outbox.waits
            and not self._calls.asks
            and not self._absorbing
            and not self._returned
            and not self._members.suspects
            and not self._ownership.under_way
        )

    def pause_s(self, now: float) -> float:
        """Return after how many seconds the next tick is to come, and expect it then.

        It is ``TICK_S``, and in a calm node up to ``CALM_TICK_S`` where nothing is due before.
        An input may end the calm; then ``TICK_S`` holds from that moment. Only what comes seldom
        may be late by a pause: greetings again, looks for instances that are not where they
        belong, recovery of the awareness, and forgetting.
        """
        due = min(self._next_beat, self._next_compare, self._next_try, self._detection.due_at)
        self._pause_s = min(max(TICK_S, due - now), CALM_TICK_S) if self.calm else TICK_S
        return self._pause_s

    def _mind_stall(self, now: float) -> None:
        since_s = TICK_S if self._ticked_at is None else now - self._ticked_at
        late_s = since_s - self._pause_s
        self._ticked_at, self._pause_s = now, TICK_S
        self._lag_s = max(late_s, self._lag_s * LAG_KEPT ** (since_s / TICK_S))
        if late_s <= LAG_S_MAX:
            return
        self._awareness.worse()
        self._detection.forgive(now)
        self._members.delay(late_s)
        if since_s - TICK_S >= STALL_S:
            self._fence.raise_(now)
            self._tell("branch.stalled", f"this branch stood still for {late_s:.1f} s")

    def _mind_long_stall(self, now: float) -> None:
        """Put the fence up before anything is decided: what was under way ends before the tick."""
        if self._ticked_at is not None and now - self._ticked_at - TICK_S >= STALL_S:
            self._mind_stall(now)

    def _go_on_joining(self, now: float) -> None:
        if self._joining.check_is_over(now):
            self._outlive_rival()
        self._greet(now)
        if self._joining.is_over(now):
            self._join()

    def _go_on_fencing(self, now: float) -> None:
        if self._absorbing:
            self._absorbing = {
                key: (since, item)
                for key, (since, item) in self._absorbing.items()
                if now < since + ABSORB_S
            }
        if self._fence.wants_round(now) and self._joining.joined:
            for member in self._dice.some(self._members.present(), 1):
                self._begin_round(now, member.statement)
        if self._fence.comes_down(now, absorbing=bool(self._absorbing)):
            self._tell("branch.acts", "this branch knows what it owns, and acts on it")

    def _beat(self, now: float) -> None:
        if now < self._next_beat or self._state is BranchState.LEFT:
            return
        self._next_beat = now + self._dice.around(BEAT_S, BEAT_SPREAD)
        self._out.append(
            Publish(
                Beat(
                    sender=self._sender,
                    head=self._outbox.head,
                    digest=self._table.digest,
                    lag_ms=int(self._lag_s * 1000),
                )
            )
        )

    def _detect(self, now: float) -> None:
        probed, to_accuse = self._detection.due(now)
        for branch in to_accuse:
            self._accuse(now, branch, BranchState.SUSPECT)
        for branch in probed:
            self._probe(now, branch)
        for statement in self._members.overdue(now):
            self._accuse(now, statement.branch, BranchState.FAILED)

    def _probe(self, now: float, branch: BranchId) -> None:
        word = self._members[branch].statement
        self._confront(now, word)
        helpers = [other for other in self._members.present() if other.statement.branch != branch]
        for helper in self._dice.some(helpers, HELPERS):
            number = self._pings.new(now, branch)
            request = PingRequest(sender=self._sender, number=number, about=word)
            self._out.append(Send(helper.statement.profile.calls_at, request))

    def _accuse(self, now: float, branch: BranchId, state: BranchState) -> None:
        member = self._members[branch]
        word = accused(member.statement, state, self._me)
        change = self._take_statement(now, word)
        if change.disputed and member.suspicion is not None:
            member.suspicion.delay(CONFRONT_S)

    def _compare(self, now: float) -> None:
        if self._returned and now >= self._next_returned:
            self._next_returned = now + COMPARE_RETURNED_S
            branch, _ = self._returned.popitem(last=False)
            member = self._members.get(branch)
            if member is not None and member.present:
                self._begin_compare(now, member)
        if now >= self._next_compare:
            self._next_compare = now + self._dice.around(COMPARE_S, COMPARE_SPREAD)
            for member in self._dice.some(self._members.present(), 1):
                self._begin_compare(now, member)

    def _try_failed(self, now: float) -> None:
        if now < self._next_try:
            return
        self._next_try = now + self._dice.around(TRY_FAILED_S, COMPARE_SPREAD)
        for member in self._dice.some(self._members.failed(), 1):
            self._confront(now, member.statement)

    def _forget_gone(self, now: float) -> None:
        if now < self._next_forget:
            return
        self._next_forget = now + FORGET_PERIOD_S
        for branch in self._members.forget_gone(now):
            self._table.drop(("branch", branch))
            self._members_changed = True
        # A worker is seen to end after its instance was deleted.
        self._statuses = {
            name: status
            for name, status in self._statuses.items()
            if (record := self._view.instance(name)) is None or not record.deleted
        }

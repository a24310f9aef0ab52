"""A request to another branch, with one effect however often it is tried.

The caller names a call once and sends it again, under that name, while its time lasts: messages
are lost. Whoever performs it keeps the answer, and performs no name twice.

Laws:

* Every call of this branch is settled exactly once: by its answer, at its deadline, or at once
  when its target fails or begins another life. All but the first leave in doubt whether it had
  an effect.
* A call of another branch, named by that branch and the call's id, is performed at most once in
  ``KEPT_S``, and no caller tries for longer: its budget is ``CALL_S_MAX`` at most. What was
  performed in an earlier life of this branch is not known to this one; a call that names the life
  it means has no effect in another.
* All that is kept is bounded. What is too much is not taken in; whoever sent it tries again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from cyme.core.cluster.effects import Effect, Link, Perform, Reply, Send, Settle
from cyme.core.cluster.messages import Answer, Call, Sender
from cyme.core.model import BranchId

#: A call may be passed on so often.
HOPS_MAX = 2

#: Nobody waits longer for a call, in seconds.
CALL_S_MAX = 600.0

#: A call that is not answered is sent again after so long, then after twice as long, and so on.
RESEND_S_FIRST = 1.0

#: Calls of this branch that are under way.
ASKED_MAX = 1_000

#: Calls of others that are being performed.
PERFORMING_MAX = 1_000

#: Answers are kept for so long, in seconds, so many of them, of so many bytes together.
KEPT_S = 600.0
ANSWERS_MAX = 10_000
ANSWERS_BYTES_MAX = 32 * 1024 * 1024

#: Calls whose answers had to go early, and that are still known to have been performed.
SPENT_MAX = 100_000


@dataclass(slots=True)
class _Asked:
    """A call of this branch that is under way.

    Attributes:
        message: As it was sent first.
        endpoint: Where to.
        asked_at: When that was (monotonic seconds).
        deadline: When it ends.
        resend_at: When to send it again.
        pause_s: How long to wait after that.
    """

    message: Call
    endpoint: str
    asked_at: float
    deadline: float
    resend_at: float
    pause_s: float = 2 * RESEND_S_FIRST


@dataclass(slots=True)
class _Performing:
    """A call of another branch that is being performed.

    Attributes:
        origin: Who calls.
        link: By which connection it was asked last.
        until: When it is forgotten (monotonic seconds).
    """

    origin: BranchId
    link: Link
    until: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a call came to.

    Attributes:
        ok: Whether ``value`` is what it returned; else it is the error that it raised.
        value: Encoded.
        until: When it is forgotten (monotonic seconds).
    """

    ok: bool
    value: bytes
    until: float


#: Who makes a call, and its id.
_Name = tuple[BranchId, str]


class Calls:
    """The calls that this branch makes and those that it performs.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}
        # Performers know a call by its id alone, so no two of one id are performed side by side.
        self._performing: OrderedDict[str, _Performing] = OrderedDict()
        self._done = _Done()

    # --- calls of this branch -------------------------------------------------------------------

    def call(
        self,
        now: float,
        me: Sender,
        *,
        call: str,
        target: BranchId,
        endpoint: str,
        boot: int,
        method: str,
        arguments: bytes,
        timeout_s: float,
        hops: int = 0,
    ) -> list[Effect]:
        """Ask another branch to perform a call; exactly one ``Settle`` follows by the deadline.

        Args:
            now: The time.
            me: This branch.
            call: Names it: 32 hexadecimal digits, never used before.
            target: Who is to perform it.
            endpoint: Of the ROUTER socket of that branch.
            boot: Which life of that branch; 0 for any, where being performed twice does no harm.
            method: Which call of the service.
            arguments: Its arguments, encoded.
            timeout_s: How long the caller waits; ``CALL_S_MAX`` at most counts.
            hops: How often it was passed on.
        """
        assert call not in self._asked, "a call is made once"
        if hops > HOPS_MAX:
            return [_refused(call, f"it was passed on more than {HOPS_MAX} times")]
        if timeout_s <= 0.0:
            return [_refused(call, f"no time was left to ask branch {target!r}")]
        if len(self._asked) >= ASKED_MAX:
            return [_refused(call, "too many calls under way")]
        budget_s = min(timeout_s, CALL_S_MAX)
        message = Call(
            sender=me,
            id=call,
            method=method,
            arguments=arguments,
            budget_s=budget_s,
            hops=hops,
            target=target,
            target_boot=boot,
        )
        self._asked[call] = _Asked(message, endpoint, now, now + budget_s, now + RESEND_S_FIRST)
        return [Send(endpoint, message)]

    def on_answer(
        self,
        now: float,  # noqa: ARG002 - every input comes with the time
        message: Answer,
    ) -> list[Effect]:
        """Take in an answer; one that nobody waits for is dropped."""
        asked = self._asked.get(message.id)
        if asked is None or asked.message.target != message.sender.branch:
            return []
        del self._asked[message.id]
        return [Settle(message.id, ok=message.ok, value=message.value)]

    def on_gone(self, now: float, branch: BranchId) -> list[Effect]:
        """Take in that a branch failed or left: it answers no more."""
        return [
            self._in_doubt(asked, f"branch {branch!r} failed or left, {_age(now, asked)}")
            for asked in self._asked_of(branch)
        ]

    def on_life(self, now: float, branch: BranchId, boot: int) -> list[Effect]:
        """Take in which life a branch is in: calls that mean another are not answered any more."""
        return [
            self._in_doubt(asked, f"branch {branch!r} was started again, {_age(now, asked)}")
            for asked in self._asked_of(branch)
            if asked.message.target_boot not in {0, boot}
        ]

    # --- calls of others ------------------------------------------------------------------------

    def on_call(self, now: float, me: Sender, link: Link, message: Call) -> list[Effect]:
        """Take in a call of another branch, for the first time or again.

        One that means another branch, or another life of this one, is dropped: its caller learns
        otherwise that the life that it asked is over.
        """
        if message.target != me.branch or message.target_boot not in {0, me.boot}:
            return []
        if message.hops > HOPS_MAX or message.budget_s <= 0.0:
            return []
        name = (message.sender.branch, message.id)
        if name in self._done:
            answer = self._done.answer(name)
            return [] if answer is None else [_reply(me, link, message.id, answer)]
        performing = self._performing.get(message.id)
        if performing is not None:
            if performing.origin == message.sender.branch:
                performing.link = link
            return []
        if len(self._performing) >= PERFORMING_MAX:
            return []
        self._performing[message.id] = _Performing(message.sender.branch, link, now + KEPT_S)
        return [
            Perform(
                call=message.id,
                method=message.method,
                arguments=message.arguments,
                deadline=now + min(message.budget_s, CALL_S_MAX),
                origin=message.sender.branch,
                hops=message.hops,
            )
        ]

    def on_performed(
        self, now: float, me: Sender, call: str, *, ok: bool, value: bytes
    ) -> list[Effect]:
        """Take in what a ``Perform`` came to; after ``KEPT_S`` nobody asks for it any more."""
        performing = self._performing.pop(call, None)
        if performing is None:
            return []
        answer = _Answer(ok, value, now + KEPT_S)
        self._done.keep((performing.origin, call), answer)
        return [_reply(me, performing.link, call, answer)]

    # --- time -----------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        """Whether this branch waits for an answer."""
        return bool(self._asked)

    def on_tick(self, now: float, me: Sender) -> list[Effect]:
        """End the calls whose time is over, send again what is not answered, and forget."""
        while self._performing and next(iter(self._performing.values())).until <= now:
            self._performing.popitem(last=False)
        self._done.forget(now)
        effects: list[Effect] = []
        for asked in list(self._asked.values()):
            if now >= asked.deadline:
                after_s = asked.deadline - asked.asked_at
                why = f"branch {asked.message.target!r} did not answer within {after_s:.1f} s"
                effects.append(self._in_doubt(asked, why))
            elif now >= asked.resend_at:
                effects.append(_sent_again(now, me, asked))
        return effects

    def _asked_of(self, branch: BranchId) -> list[_Asked]:
        return [asked for asked in self._asked.values() if asked.message.target == branch]

    def _in_doubt(self, asked: _Asked, why: str) -> Settle:
        del self._asked[asked.message.id]
        return Settle(asked.message.id, ok=False, value=None, why=why, in_doubt=True)


class _Done:
    """Calls that were performed: what they came to while there is room for it, else that they were.

    A call is named by who makes it and its id, as ids are not all drawn by the same branch.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[_Name, _Answer] = OrderedDict()
        self._bytes = 0
        self._spent: OrderedDict[_Name, float] = OrderedDict()

    def __contains__(self, name: _Name) -> bool:
        return name in self._answers or name in self._spent

    def answer(self, name: _Name) -> _Answer | None:
        """Return what a call came to, None if that had to go."""
        return self._answers.get(name)

    def keep(self, name: _Name, answer: _Answer) -> None:
        """Keep what a call came to; the oldest answers make room."""
        self._answers[name] = answer
        self._bytes += len(answer.value)
        while len(self._answers) > ANSWERS_MAX or self._bytes > ANSWERS_BYTES_MAX:
            spent, until = self._pop()
            self._spent[spent] = until
        while len(self._spent) > SPENT_MAX:
            self._spent.popitem(last=False)

    def forget(self, now: float) -> None:
        """Forget the calls whose time is over."""
        while self._answers and next(iter(self._answers.values())).until <= now:
            self._pop()
        while self._spent and next(iter(self._spent.values())) <= now:
            self._spent.popitem(last=False)

    def _pop(self) -> tuple[_Name, float]:
        name, answer = self._answers.popitem(last=False)
        self._bytes -= len(answer.value)
        return name, answer.until


def _refused(call: str, why: str) -> Settle:
    return Settle(call, ok=False, value=None, why=why)


def _age(now: float, asked: _Asked) -> str:
    return f"{now - asked.asked_at:.1f} s after it was asked"


def _sent_again(now: float, me: Sender, asked: _Asked) -> Send:
    asked.resend_at = now + asked.pause_s
    asked.pause_s *= 2
    return Send(asked.endpoint, replace(asked.message, sender=me, budget_s=asked.deadline - now))


def _reply(me: Sender, link: Link, call: str, answer: _Answer) -> Reply:
    return Reply(link, Answer(sender=me, id=call, ok=answer.ok, value=answer.value))

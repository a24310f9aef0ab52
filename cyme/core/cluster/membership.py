"""The members of the cluster as one branch holds them to be, and how a word about one changes it.

Laws:

* The word of the highest order counts; who hears it again changes nothing.
* Whoever is heard at first hand is not held to have failed by hearsay: it is told instead, so
  that it can refute.
* A member is suspected until a deadline that comes sooner the more accuse it, then has failed.
* Whoever was forgotten is not brought back by a word that others still remember.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cyme.core.branches import BranchState
from cyme.core.cluster.detection import SILENCE_S
from cyme.core.cluster.members import PRESENT, Statement
from cyme.core.cluster.suspicion import Suspicion
from cyme.core.model import BranchId

#: Branches that are known at a time.
MEMBERS_MAX = 2_000

#: A branch that has failed or left is forgotten after so long, in seconds.
GONE_S = 72 * 3600.0

#: Branches of which it is remembered that they were forgotten; the oldest go first.
FORGOTTEN_MAX = 2_000


@dataclass(slots=True)
class Member:
    """A branch as others see it.

    Attributes:
        statement: The word about it that counts.
        since: Since when its state is what it is (monotonic seconds).
        heard_at: When it was heard of, be it through others (monotonic seconds).
        direct_at: When it was heard itself.
        suspicion: Its trial, while it is suspect.
    """

    statement: Statement
    since: float
    heard_at: float
    direct_at: float = float("-inf")
    suspicion: Suspicion | None = field(default=None, repr=False)

    @property
    def state(self) -> BranchState:
        """What it is held to be."""
        return self.statement.state

    @property
    def present(self) -> bool:
        """Whether it takes part."""
        return self.statement.state in PRESENT


@dataclass(frozen=True, slots=True)
class Change:
    """What a statement came to.

    Attributes:
        before: The word that counted before, None if the branch was not known.
        after: The word that counts now.
        taken: Whether that is another one.
        worth_telling: Whether others may not know of it: a new word, or one more accuser.
        disputed: Whether first hand knows better, so that the subject should be told.
    """

    before: Statement | None
    after: Statement
    taken: bool = False
    worth_telling: bool = False
    disputed: bool = False


class Membership:
    """All branches that one branch knows, without itself."""

    def __init__(self) -> None:
        self._members: dict[BranchId, Member] = {}
        self._suspects: dict[BranchId, Suspicion] = {}
        self._forgotten: OrderedDict[BranchId, Statement] = OrderedDict()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __getitem__(self, branch: BranchId) -> Member:
        return self._members[branch]

    def get(self, branch: str) -> Member | None:
        """Return a member, None if the branch is not known."""
        return self._members.get(BranchId(branch))

    def present(self) -> list[Member]:
        """Return the members that take part, sorted by id."""
        return [self._members[id_] for id_ in sorted(self._members) if self._members[id_].present]

    def failed(self) -> list[Member]:
        """Return the members that have failed, sorted by id."""
        return [
            self._members[id_]
            for id_ in sorted(self._members)
            if self._members[id_].state is BranchState.FAILED
        ]

    def heard(self, now: float, branch: BranchId, boot: int) -> Member | None:
        """Take note that a life of a branch was heard itself; return it if it is the known one."""
        member = self._members.get(branch)
        if member is None or member.statement.boot != boot:
            return None
        member.heard_at = member.direct_at = now
        return member

    def heard_of(self, at: float, branch: BranchId) -> None:
        """Take note that a branch was heard by somebody at a time."""
        member = self._members.get(branch)
        if member is not None:
            member.heard_at = max(member.heard_at, at)

    def take(self, now: float, statement: Statement) -> Change:
        """Take in a word about another branch."""
        member = self._members.get(statement.branch)
        if member is None:
            return self._meet(now, statement)
        before = member.statement
        if statement.order <= before.order:
            accused = self._accuse(member, statement)
            return Change(before, before, worth_telling=accused)
        if _is_hearsay(statement) and self._is_first_hand(now, member, statement):
            return Change(before, before, disputed=True)
        member.statement = statement
        if statement.state is not before.state or statement.life != before.life:
            member.since = now
        if statement.by == statement.branch:
            member.heard_at = max(member.heard_at, now)
        self._judge(now, member)
        return Change(before, statement, taken=True, worth_telling=True)

    @property
    def suspects(self) -> int:
        """How many are suspected to have failed."""
        return len(self._suspects)

    def overdue(self, now: float) -> list[Statement]:
        """Return the words of those whose suspicion has come to its end, sorted by id."""
        return [
            self._members[id_].statement
            for id_ in sorted(self._suspects)
            if now >= self._suspects[id_].deadline
        ]

    def delay(self, by_s: float) -> None:
        """Give all suspects more time: nobody could be heard meanwhile."""
        for trial in self._suspects.values():
            trial.delay(by_s)

    def forget_gone(self, now: float) -> list[BranchId]:
        """Forget those who have been away for long, and return them."""
        gone = [
            id_
            for id_, member in self._members.items()
            if not member.present and now > member.since + GONE_S
        ]
        for id_ in gone:
            self._forgotten[id_] = self._members.pop(id_).statement
            if len(self._forgotten) > FORGOTTEN_MAX:
                self._forgotten.popitem(last=False)
        return gone

    def _meet(self, now: float, statement: Statement) -> Change:
        if len(self._members) >= MEMBERS_MAX or self._is_forgotten(statement):
            return Change(None, statement)
        self._forgotten.pop(statement.branch, None)
        member = Member(statement, since=now, heard_at=now)
        self._members[statement.branch] = member
        self._judge(now, member)
        return Change(None, statement, taken=True, worth_telling=True)

    def _is_forgotten(self, statement: Statement) -> bool:
        """Tell whether a word says what was forgotten, and no more."""
        last = self._forgotten.get(statement.branch)
        if last is None or statement.state in PRESENT:
            return False
        return statement.order <= last.order

    def _accuse(self, member: Member, statement: Statement) -> bool:
        """Take in one more accusation of what is known already; tell whether it is new."""
        known = member.statement
        same = (known.life, known.incarnation) == (statement.life, statement.incarnation)
        if not same or statement.state is not BranchState.SUSPECT or member.suspicion is None:
            return False
        return member.suspicion.accuse(statement.by)

    def _is_first_hand(self, now: float, member: Member, statement: Statement) -> bool:
        same_life = member.statement.life == statement.life
        return same_life and member.present and now - member.direct_at <= SILENCE_S

    def _judge(self, now: float, member: Member) -> None:
        """Begin or end the trial of a member, as its state asks."""
        branch = member.statement.branch
        if member.state is not BranchState.SUSPECT:
            member.suspicion = None
            self._suspects.pop(branch, None)
        else:
            failed = sum(1 for other in self._members.values() if not other.present)
            # Of all, this branch among them, the accused and its first accuser are no others.
            others = len(self._members) + 1 - 2 - failed
            member.suspicion = Suspicion(now, member.statement.by, others)
            self._suspects[branch] = member.suspicion


def _is_hearsay(statement: Statement) -> bool:
    return statement.state is BranchState.FAILED and statement.by != statement.branch


def accused(statement: Statement, state: BranchState, by: BranchId) -> Statement:
    """Return a word against a branch, from the one that counts."""
    return replace(statement, state=state, by=by)

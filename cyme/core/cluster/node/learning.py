"""What a node learns, of itself, of other branches and of records."""

from __future__ import annotations

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import (
    Halt,
    Link,
    Reply,
    Send,
)
from cyme.core.cluster.items import (
    InstanceNews,
    Item,
    Key,
    joined,
    key_of,
)
from cyme.core.cluster.members import PRESENT, Statement
from cyme.core.cluster.membership import Change
from cyme.core.cluster.messages import (
    Hello,
    Message,
    Ping,
    Pong,
    Welcome,
)
from cyme.core.cluster.node.ground import Ground
from cyme.core.cluster.plausibility import is_plausible, is_plausible_word
from cyme.core.cluster.rumours import Outbox
from cyme.core.model import BranchId, Instance, Record

#: Those who came back are compared with soon, one after the other, in seconds.
RETURNED_MAX = 1_000

#: Records of others that are being written at a time; more wait for repair.
ABSORBING_MAX = 20_000

#: News of instances that wait for the record, or the epoch, that they are of.
EARLY_NEWS_MAX = 1_000


class Learning(Ground):
    """Takes in items, however they came."""

    # --- what is learnt -------------------------------------------------------------------------

    def _take_item(
        self, now: float, item: Item, link: Link | None, *, rumoured: bool = False
    ) -> bool:
        """Take in an item; who learnt it otherwise than by a rumour makes it one.

        Returns:
            Whether it can be true, so that others are to hear of it.
        """
        if isinstance(item, Statement) and item.branch == self._me:
            return self._take_word_about_me(now, item, link)
        if not is_plausible(self._table.get(key_of(item)), item):
            self.refused += 1
            return False
        match item:
            case Statement():
                self._take_statement(now, item, rumoured=rumoured)
            case InstanceNews():
                self._take_news(item)
            case _:
                self._take_record(now, item)
        return True

    def _take_statement(self, now: float, word: Statement, *, rumoured: bool = False) -> Change:
        change = self._members.take(now, word)
        if change.disputed:
            self._confront(now, word)
        if change.taken:
            self._table.put(change.after)
            self._member_changed(now, change)
        if change.worth_telling and not rumoured:
            self._outbox.tell(word)
        return change

    def _member_changed(self, now: float, change: Change) -> None:
        before, after = change.before, change.after
        branch = after.branch
        self._members_changed = True
        was_present = before is not None and before.state in PRESENT
        is_present = after.state in PRESENT
        if is_present:
            self._rings.add(branch)
        else:
            self._rings.remove(branch)
            self._out += self._calls.on_gone(now, branch)
        if before is not None and before.boot != after.boot:
            self._out += self._calls.on_life(now, branch, after.boot)
        if is_present and not was_present and before is not None:
            self._compare_soon(branch)
        if after.state is BranchState.SUSPECT:
            self._confront(now, after)
        told = _deed(before, after)
        if told is not None:
            self._tell(f"branch.{told[0]}", f"branch {branch!r} {told[1]}", branch=branch)

    def _compare_soon(self, branch: BranchId) -> None:
        """Have what is known here compared with what a branch knows, in its turn."""
        self._returned[branch] = None
        if len(self._returned) > RETURNED_MAX:
            self._returned.popitem(last=False)

    def _take_news(self, news: InstanceNews) -> None:
        record = self._view.instance(news.instance)
        if record is not None and record.deleted:
            return
        if record is None or news.epoch > record.epoch:
            self._keep_early(news)
            return
        known = self._table.get(key_of(news))
        if joined(known, news) is not known:
            self._table.put(news)

    def _keep_early(self, news: InstanceNews) -> None:
        """Keep news of an instance aside until the record comes that it is of.

        It is no part of what is known, so nobody fills the tables with news of nothing.
        """
        latest = joined(self._early.pop(news.instance, None), news)
        assert isinstance(latest, InstanceNews)
        self._early[news.instance] = latest
        if len(self._early) > EARLY_NEWS_MAX:
            self._early.popitem(last=False)

    def _take_record(self, now: float, record: Record) -> None:
        key = key_of(record)
        known = self._table.get(key)
        _, expected = self._absorbing.get(key, (now, known))
        latest = joined(expected, record)
        if latest is expected:
            return
        if len(self._absorbing) >= ABSORBING_MAX:
            self.refused += 1
            return
        self._absorbing[key] = now, latest
        self._fresh.append(record)

    def _absorbed(self, key: Key, item: Item) -> None:
        """Take note of what is known of a key now; what was to be written may be more."""
        _, expected = self._absorbing.get(key, (0.0, item))
        if joined(item, expected) is item:
            self._absorbing.pop(key, None)

    def _changed(self, now: float, before: Instance | None, after: Instance) -> None:
        self._view.note(now, before, after)
        early = self._early.pop(after.name, None)
        if early is not None:
            self._take_news(early)
        if after.deleted:
            self._statuses.pop(after.name, None)
            self._table.drop(("news", after.name))
        elif before is None or (before.owner, before.epoch) != (after.owner, after.epoch):
            self._tell_news(after)
        self._out += self._ownership.on_applied(now, self._view, before, after)
        lost = before is not None and before.owner == self._me != after.owner
        if lost and not self.keeps(after.name):
            # The worker stops; what it was like says nothing of the next one.
            self._statuses.pop(after.name, None)

    # --- another branch of the same id ----------------------------------------------------------

    def _take_from_rival(self, now: float, link: Link, message: Message) -> None:
        """Take in a message of another life of this branch's own id.

        Only who has joined asserts itself: who comes after it must not drive it out by chance.
        """
        joined = self._joining.joined
        match message:
            case Hello() if joined and message.profile.nonce != self._profile.nonce:
                self._refuse(link)
            case Ping() if joined:
                self._out.append(Reply(link, self._pong(message.number)))
            case Pong():
                self._meet_rival(now, link, message.about, accompanied=self._is_accompanied)
            case Welcome():
                accompanied = any(word.branch != self._me for word in message.statements)
                for word in message.statements:
                    self._meet_rival(now, link, word, accompanied=accompanied)

    def _refuse(self, link: Link) -> None:
        """Tell a rival that this branch is alive, and whether it is in company."""
        company = (member.statement for member in self._members.present()[:1])
        words = (self.statement, *company)
        self._out.append(
            Reply(link, Welcome(sender=self._sender, admitted=False, statements=words))
        )

    def _meet_rival(self, now: float, link: Link, word: Statement, *, accompanied: bool) -> None:
        """Give way to a living branch of the same id, or let it know that it has to.

        One that has not joined yet gives way, then one that is alone to one that is not, then
        the earlier life to the later.
        """
        mine = self.statement
        if word.branch != self._me or word.profile.nonce == mine.profile.nonce:
            return
        loses = (self._is_accompanied, mine.life) < (accompanied, word.life)
        if self._joining.joined and not loses:
            if self._may_confront(now, self._me):
                self._refuse(link)
            return
        self._out.append(
            Halt(
                f"Another branch {self._me!r} is alive at {word.profile.calls_at}{_served(word)}, "
                f"and this one is at {mine.profile.calls_at}{_served(mine)}. A branch id is "
                "unique in its cluster. If the directory of this branch is a copy of the other's, "
                "start it with a directory and an --id of its own; else stop one of the two."
            )
        )

    @property
    def _is_accompanied(self) -> bool:
        """Whether another branch takes part."""
        return any(member.present for member in self._members)

    def _take_word_about_me(self, now: float, word: Statement, link: Link | None) -> bool:
        """Take in what is said of this branch; return whether it can be true, as others see it."""
        mine = self.statement
        if not is_plausible_word(mine, word):
            self.refused += 1
            return False
        if word.life != mine.life:
            if self._is_rival(word):
                self._challenge(now, word)
        elif word.order > mine.order:
            # Nobody else may raise the incarnation. Who did so is outdone, for others believe it.
            self._refute(link, word.incarnation)
        return True

    def _challenge(self, now: float, rival: Statement) -> None:
        """Ask another life of this branch's id whether it is alive."""
        mine = self.statement
        gone = rival.profile.calls_at == mine.profile.calls_at
        if rival.life != mine.life and self._joining.contest(now, rival, gone=gone):
            number = self._pings.new(now, self._me)
            self._out.append(Send(rival.profile.calls_at, self._ping(number, self._me, None)))

    def _is_rival(self, word: Statement) -> bool:
        """Tell whether another life of this branch's id may be alive, or counts more than this."""
        starting = not self._joining.joined
        return word.order > self.statement.order or (starting and word.state in PRESENT)

    def _refute(self, link: Link | None, incarnation: int) -> None:
        self._incarnation = incarnation + 1
        self._awareness.worse()
        self._say_of_myself()
        if link is not None:
            self._out.append(Reply(link, self._pong(0)))

    def _outlive_rival(self) -> None:
        """Take the place of a life that does not answer any more."""
        rival = self._joining.rival
        if rival is not None and rival.boot >= self._boot:
            self._boot = rival.boot + 1
            self._incarnation = 0
            self._outbox = Outbox(self._me, self._boot, self._size_of)
            self._say_of_myself()


def _served(word: Statement) -> str:
    return f" ({word.profile.url})" if word.profile.url else ""


def _deed(before: Statement | None, after: Statement) -> tuple[str, str] | None:
    """Return what became of a branch, as a kind of event and in words; None if nothing did."""
    if before is not None and (before.state, before.life) == (after.state, after.life):
        return None
    where = after.profile.calls_at
    kind, words = {
        BranchState.ALIVE: ("returned", f"is back at {where}"),
        BranchState.SUSPECT: ("suspect", f"is silent, says {after.by!r}"),
        BranchState.FAILED: ("failed", f"has failed, says {after.by!r}; it was at {where}"),
        BranchState.LEAVING: ("leaving", "is about to stop"),
        BranchState.LEFT: ("left", "stopped as it was asked to"),
    }[after.state]
    if before is None and after.state is BranchState.ALIVE:
        return "joined", f"is in the cluster, at {where}"
    return kind, words

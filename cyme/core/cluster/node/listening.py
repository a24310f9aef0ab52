"""What a node makes of a message."""

from __future__ import annotations

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import (
    Link,
    Reply,
    Send,
)
from cyme.core.cluster.members import PRESENT, Statement
from cyme.core.cluster.membership import Member
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    Answer,
    Beat,
    Buckets,
    Call,
    Digest,
    Hello,
    Items,
    Message,
    Missed,
    Ping,
    PingRequest,
    Pong,
    Rumours,
    Sender,
    Summaries,
    Welcome,
)
from cyme.core.cluster.node.learning import Learning
from cyme.core.model import BranchId

#: Whoever sent so many items at once may have more to send.
MANY_ITEMS = ITEMS_MAX // 2


class Listening(Learning):
    """Takes in messages."""

    # --- messages -------------------------------------------------------------------------------

    def _hear(self, now: float, link: Link | None, message: Message) -> None:
        """Take note that the sender of a message is there, and see to it that it is known."""
        sender = message.sender
        member = self._members.heard(now, sender.branch, sender.boot)
        if member is not None:
            self._detection.heard(now, sender.branch)
        if link is None or isinstance(message, Pong):
            return
        known = self._members.get(sender.branch)
        if known is None or known.statement.boot < sender.boot:
            if not isinstance(message, Hello | Welcome):
                self._ask_back(now, link, sender.branch, None)
        elif known.statement.boot == sender.boot and not known.present:
            self._ask_back(now, link, sender.branch, known.statement)

    def _ask_back(self, now: float, link: Link, branch: BranchId, about: Statement | None) -> None:
        """Ask the sender of a message for its word about itself, but not at every message."""
        if self._may_confront(now, branch):
            number = self._pings.new(now, branch)
            self._out.append(Reply(link, self._ping(number, branch, about)))

    def _take(self, now: float, link: Link | None, message: Message) -> None:
        match message:
            case Beat():
                self._ask_for_missed(now, message.sender, message.head)
            case Rumours():
                self._take_rumours(now, link, message)
            case _ if link is not None:
                self._take_directed(now, link, message)
            case _:
                self.refused += 1  # only beats and rumours are published

    def _take_directed(self, now: float, link: Link, message: Message) -> None:
        match message:
            case Ping():
                self._take_ping(now, link, message)
            case Pong():
                self._take_pong(now, link, message)
            case PingRequest():
                self._take_ping_request(now, link, message)
            case Hello():
                self._take_hello(now, link, message)
            case Welcome():
                self._take_welcome(now, link, message)
            case Call():
                self._out += self._calls.on_call(now, self._sender, link, message)
            case Answer():
                self._out += self._calls.on_answer(now, message)
            case _:
                self._take_repair(now, link, message)

    def _take_repair(self, now: float, link: Link, message: Message) -> None:
        match message:
            case Missed():
                again = self._outbox.again(message.first, message.last)
                self._out += [Reply(link, told) for told in again]
            case Digest():
                for branch, age_s in message.ages_s:
                    self._members.heard_of(now - age_s, branch)
                self._out += self._repair.on_digest(self._sender, link, message)
            case Buckets():
                self._take_buckets(now, link, message)
            case Summaries():
                self._out += self._repair.on_summaries(self._sender, link, message)
            case _:
                assert isinstance(message, Items)
                self._take_items(now, link, message)

    def _take_items(self, now: float, link: Link, message: Items) -> None:
        items, effects = self._repair.on_items(self._sender, link, message)
        self._out += effects
        for item in items:
            # No news to the other, and so to most: whoever misses it compares, too. Told again by
            # everybody who learns it, what a newcomer lacks would come to the cube of the members.
            self._take_item(now, item, link, rumoured=True)
        if len(items) >= MANY_ITEMS:
            self._compare_soon(message.sender.branch)

    def _take_rumours(self, now: float, link: Link | None, message: Rumours) -> None:
        if link is None:
            self._ask_for_missed(now, message.sender, message.number - 1)
        self._inbox.received(message)
        for rumour in message.rumours:
            if rumour.origin == self._me and rumour.boot == self._boot:
                continue
            if self._inbox.is_first_sight(rumour):
                self._members.heard_of(now, rumour.origin)
                if self._take_item(now, rumour.item, None, rumoured=True):
                    self._outbox.pass_on(rumour)

    def _ask_for_missed(self, now: float, sender: Sender, number: int) -> None:
        missed = self._inbox.missed(now, sender, number, self._sender)
        member = self._members.get(sender.branch)
        if missed is not None and member is not None:
            self._out.append(Send(member.statement.profile.calls_at, missed))

    def _take_buckets(self, now: float, link: Link, message: Buckets) -> None:
        effects = self._repair.on_buckets(self._sender, link, message)
        self._out += effects
        peer = message.sender.branch
        if effects and self._fence.goes_on(peer):
            number = self._pings.new(now, peer)
            self._fence.pinged(number)
            self._out.append(Reply(link, self._ping(number, peer, None)))

    def _take_ping_request(self, now: float, link: Link, request: PingRequest) -> None:
        """Ping somebody for the sender, who gets the answer under its own number."""
        target = request.about.branch
        member = self._members.get(target)
        if member is None:
            self.refused += 1  # nobody sends this branch to addresses that it does not know
            return
        number = self._pings.new(now, target, link, request.number)
        ping = self._ping(number, target, request.about)
        self._out.append(Send(member.statement.profile.calls_at, ping))

    def _take_ping(self, now: float, link: Link, ping: Ping) -> None:
        if ping.target != self._me:
            return
        if ping.about is not None and ping.about.branch == self._me:
            self._take_word_about_me(now, ping.about, link)
        self._out.append(Reply(link, self._pong(ping.number)))

    def _take_pong(self, now: float, link: Link, pong: Pong) -> None:
        asked = self._pings.take(pong.number, pong.about.branch)
        self._take_item(now, pong.about, link)
        if asked is None:
            return
        member = self._members.get(pong.about.branch)
        if member is not None and member.statement.life == pong.about.life:
            self._detection.heard(now, pong.about.branch)
            self._members.heard_of(now, pong.about.branch)
        self._fence.answered(pong.number)
        if asked.link is not None:
            answer = Pong(sender=self._sender, number=asked.number, about=pong.about)
            self._out.append(Reply(asked.link, answer))

    # --- joining --------------------------------------------------------------------------------

    def _greet(self, now: float) -> None:
        if not self._joining.is_due(now):
            return
        present = [member.statement.profile.calls_at for member in self._members.present()]
        for endpoint in self._joining.greetings(now, present):
            if endpoint != self._profile.calls_at:
                self._out.append(Send(endpoint, self._hello()))

    def _take_hello(self, now: float, link: Link, hello: Hello) -> None:
        newcomer = Statement(
            branch=hello.sender.branch,
            boot=hello.sender.boot,
            incarnation=hello.sender.incarnation,
            state=BranchState.ALIVE,
            by=hello.sender.branch,
            profile=hello.profile,
        )
        member = self._members.get(newcomer.branch)
        known = member.statement if member is not None else None
        contested = (
            known is not None
            and known.life != newcomer.life
            and (known.boot >= newcomer.boot or (known.state in PRESENT and not hello.checked))
        )
        if contested and known is not None:
            words: tuple[Statement, ...] = (known,)
        else:
            self._take_item(now, newcomer, None)
            words = (self.statement,)
        self._out.append(
            Reply(link, Welcome(sender=self._sender, admitted=not contested, statements=words))
        )

    def _take_welcome(self, now: float, link: Link, welcome: Welcome) -> None:
        for word in welcome.statements:
            plausible = self._take_item(now, word, link)
            if plausible and word.branch == self._me and not welcome.admitted:
                self._challenge(now, word)
        if not welcome.admitted or self._joining.joined or self._joining.checking:
            return
        self._join()
        member = self._members.get(welcome.sender.branch)
        if member is not None and self._fence.up:
            self._begin_round(now, member.statement)
        elif member is not None:
            self._begin_compare(now, member)

    def _join(self) -> None:
        self._joining.joined = True
        self._say_of_myself()

    def _begin_round(self, now: float, peer: Statement) -> None:
        number = self._pings.new(now, peer.branch)
        endpoint = peer.profile.calls_at
        self._fence.begin_round(now, peer.branch, number)
        self._out += self._repair.begin(self._sender, endpoint, self._ages(now))
        self._out.append(Send(endpoint, self._ping(number, peer.branch, None)))

    def _begin_compare(self, now: float, member: Member) -> None:
        endpoint = member.statement.profile.calls_at
        self._out += self._repair.begin(self._sender, endpoint, self._ages(now))

"""A member of a cluster that keeps to no rule: it has the secret, joins, and then attacks.

Run as ``python -m tests.system.hostile_program SECRET_FILE CLUSTER SECONDS ATTACKS ENDPOINT...``;
``ATTACKS`` are names of ``Attacks`` separated by commas, each of which has its turn again and
again until the time is over. The endpoints are those of the ROUTER sockets of its victims.
"""

from __future__ import annotations

import random
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgpack
import zmq

from cyme.adapters.sockets.curve import Keys
from cyme.core.branches import BranchState
from cyme.core.cluster.items import InstanceNews, Item
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.messages import (
    Answer,
    Beat,
    Buckets,
    Call,
    Digest,
    Hello,
    Items,
    Message,
    Missed,
    PingRequest,
    Rumour,
    Rumours,
    Sender,
)
from cyme.core.model import App, AppName, BranchId, Instance, InstanceName, Stamp, WorkerSpec
from cyme.core.status import InstanceState
from cyme.runtime.cluster import wire

NAME = BranchId("intruder")
BOOT = 7
TURN_S = 0.25
JOINING_S = 1.5
KINDS = b"brhwpoqmdusica"
VICTIMS = ("branch1", "branch2")
GIANT_BYTES = 200 * 1024 * 1024


class Intruder:
    """The sockets of the hostile member, and what it can say."""

    def __init__(self, secret: bytes, cluster: str, victims: Sequence[str]) -> None:
        self.tag = wire.cluster_tag(cluster)
        self.random = random.Random(7)
        self._keys = Keys.derived(secret, cluster)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._published, beats_at = self._server(zmq.PUB)
        self._router, calls_at = self._server(zmq.ROUTER)
        self._dealers = [self._dealer(victim) for victim in victims]
        self._number = 0
        self.profile = Profile(calls_at=calls_at, beats_at=beats_at, nonce=secrets.token_hex(8))

    def join(self) -> None:
        """Come into the cluster as any branch does."""
        self.say(self.hello(NAME))
        ends = time.monotonic() + JOINING_S
        while time.monotonic() < ends:
            self.beat()
            time.sleep(0.1)
        self.take_answers()

    def hello(self, name: str) -> Hello:
        return Hello(sender=Sender(BranchId(name), BOOT, 0), profile=self.profile, checked=True)

    def beat(self, head: int | None = None) -> None:
        head = self._number if head is None else head
        self.publish(Beat(sender=self.sender, head=head, digest=0, lag_ms=0))

    def rumour(self, *items: Item) -> None:
        """Publish items as rumours that nobody has seen."""
        self._number += 1
        first = self._number * 1000
        rumours = (Rumour(NAME, BOOT, first + place, item) for place, item in enumerate(items))
        self.publish(Rumours(sender=self.sender, number=self._number, rumours=tuple(rumours)))

    @property
    def sender(self) -> Sender:
        return Sender(NAME, BOOT, 0)

    def say(self, message: Message) -> None:
        self.send(wire.pack(message, cluster=self.tag))

    def send(self, frames: Sequence[bytes]) -> None:
        for dealer in self._dealers:
            try:
                dealer.send_multipart(frames, zmq.NOBLOCK)
            except zmq.Again:
                time.sleep(0.002)

    def publish(self, message: Message) -> None:
        self.publish_frames(wire.pack(message, cluster=self.tag))

    def publish_frames(self, frames: Sequence[bytes]) -> None:
        self._published.send_multipart(frames)

    def take_answers(self) -> None:
        for socket in (*self._dealers, self._router):
            while socket.poll(0):
                socket.recv_multipart()

    def _server(self, kind: int) -> tuple[zmq.Socket[bytes], str]:
        socket = self._context.socket(kind)
        socket.linger = 0
        self._keys.secure(socket)
        socket.curve_server = True
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        return socket, f"tcp://127.0.0.1:{port}"

    def _dealer(self, endpoint: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        self._keys.secure_client(socket)
        socket.connect(endpoint)
        return socket


class Attacks:
    """The deeds, by name; each is one blow of many."""

    def __init__(self, intruder: Intruder) -> None:
        self._it = intruder
        self._random = intruder.random
        self._count = 0

    # --- bytes ----------------------------------------------------------------------------------

    def noise(self) -> None:
        for send in (self._it.send, self._it.publish_frames):
            send([self._bytes(200) for _ in range(self._random.randint(1, 10))])

    def noise_in_the_name_of_the_cluster(self) -> None:
        self._claims(self._bytes(100))

    def nested_deeply(self) -> None:
        self._claims(b"\x91" * 500_000)

    def huge_claims(self) -> None:
        self._claims(b"\x99\xdd\xff\xff\xff\xff")
        self._claims(b"\xdc\x27\x10" + (b"\x99" + b"\x80" * 9) * 10_000)

    def as_many_elements_as_may_be(self) -> None:
        data: bytes = msgpack.packb([[[0] * 9_999]] * 9)
        self._claims(data)

    def many_parts(self) -> None:
        self._it.send([b"x"] * 200_000)

    def one_giant_frame(self) -> None:
        self._it.send([bytes(GIANT_BYTES)])
        time.sleep(TURN_S)

    # --- what others are told -------------------------------------------------------------------

    def news_of_nothing(self) -> None:
        reason = "x" * self._random.choice((500, 2_000, 8_000))
        self._it.rumour(*(self._news(reason) for _ in range(25)))

    def items_of_nothing(self) -> None:
        items = tuple(self._news("x" * 500) for _ in range(100))
        self._it.say(Items(sender=self._it.sender, items=items))

    def replayed_records(self) -> None:
        self._it.rumour(*([_app("old", 1000)] * 100))

    def ends_of_all_numbers(self) -> None:
        end = 2**53 - 1
        instance = InstanceName("w1")
        for epoch in (2**63, end, 10**6):
            self._it.rumour(_instance(instance, epoch=epoch))
        self._it.rumour(
            _instance(instance, generation=end),
            replace(_app("foo", 1000), version=end),
            _app("ahead", 2**47),
            InstanceNews(
                instance=instance,
                branch=NAME,
                epoch=end,
                boot=end,
                seq=end,
                state=InstanceState.UNKNOWN,
                reason="",
            ),
        )
        self._it.beat(head=end)

    def accusations(self) -> None:
        for victim in VICTIMS:
            for boot, incarnation in ((1, 0), (1, 5), (1, 2**53 - 1), (2**53 - 1, 0)):
                self._it.rumour(
                    self._word(victim, BranchState.FAILED, boot=boot, incarnation=incarnation)
                )
        time.sleep(0.05)

    def a_branch_that_comes_and_goes(self) -> None:
        self._count += 1
        for turn, state in enumerate((BranchState.ALIVE, BranchState.LEAVING)):
            self._it.rumour(self._word("flapper", state, incarnation=2 * self._count + turn))

    # --- questions ------------------------------------------------------------------------------

    def pings_of_anybody(self) -> None:
        profile = replace(self._it.profile, calls_at=f"tcp://127.0.0.1:{self._port()}")
        word = replace(self._word("anybody", BranchState.ALIVE), profile=profile)
        self._it.say(PingRequest(sender=self._it.sender, number=1, about=word))

    def comparisons(self) -> None:
        sender = self._it.sender
        self._it.say(Digest(sender=sender, digest=self._random.getrandbits(64)))
        self._it.say(Buckets(sender=sender, digests=(0,) * 64))
        self._it.say(Missed(sender=sender, first=0, last=2**53 - 1))

    def calls(self) -> None:
        for method, arguments, budget_s in (
            ("no_such_call", b"x" * 1000, 5.0),
            ("vitals_here", b"x" * 700_000, 5.0),
            ("vitals_here", b"\x80", 1e9),
            ("delete_instance_here", b"\x80", 5.0),
            ("move_instance_here", b"\x80", -5.0),
        ):
            self._it.say(self._call(method, arguments, budget_s))
        time.sleep(0.005)

    def answers_to_nothing(self) -> None:
        sender = Sender(BranchId(VICTIMS[0]), 1, 0)
        id_ = secrets.token_hex(16)
        self._it.say(Answer(sender=sender, id=id_, ok=True, value=b"x" * 10_000))

    def publishers_of_any_name(self) -> None:
        sender = Sender(BranchId(f"any{self._random.randrange(10_000)}"), 1, 0)
        number = self._random.randrange(10**6)
        self._it.say(Rumours(sender=sender, number=number, rumours=()))

    def greetings_of_the_invented(self) -> None:
        self._count += 1
        self._it.say(self._it.hello(f"invented{self._count % 10_000}"))

    # --- parts of these -------------------------------------------------------------------------

    def _claims(self, data: bytes) -> None:
        kind = bytes([self._random.choice(KINDS)])
        self._it.send([wire.MAGIC + self._it.tag + kind, data])

    def _bytes(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randint(0, most))

    def _port(self) -> int:
        return self._random.randint(20_000, 30_000)

    def _news(self, reason: str) -> InstanceNews:
        return InstanceNews(
            instance=InstanceName(f"n{secrets.token_hex(8)}"),
            branch=NAME,
            epoch=1,
            boot=1,
            seq=1,
            state=InstanceState.RUNNING,
            reason=reason,
        )

    def _word(
        self, branch: str, state: BranchState, *, boot: int = 1, incarnation: int = 0
    ) -> Statement:
        return Statement(
            branch=BranchId(branch),
            boot=boot,
            incarnation=incarnation,
            state=state,
            by=NAME,
            profile=self._it.profile,
        )

    def _call(self, method: str, arguments: bytes, budget_s: float) -> Call:
        return Call(
            sender=self._it.sender,
            id=secrets.token_hex(16),
            method=method,
            arguments=arguments,
            budget_s=budget_s,
            hops=self._random.choice((0, 2, 200)),
            target=BranchId(self._random.choice(VICTIMS)),
            target_boot=0,
        )


def _app(name: str, time_ms: int) -> App:
    return App(name=AppName(name), spec=WorkerSpec(), stamp=Stamp(time_ms, 0, NAME))


def _instance(name: InstanceName, *, epoch: int = 1, generation: int = 1) -> Instance:
    return Instance(
        name=name,
        app=AppName("foo"),
        home=NAME,
        owner=NAME,
        epoch=epoch,
        generation=generation,
        spec=WorkerSpec(),
    )


def main() -> None:
    secret_file, cluster, seconds, names, *victims = sys.argv[1:]
    intruder = Intruder(Path(secret_file).read_bytes().strip(), cluster, victims)
    intruder.join()
    attacks = Attacks(intruder)
    ends = time.monotonic() + float(seconds)
    turn = 0
    chosen = names.split(",")
    while time.monotonic() < ends:
        strike = getattr(attacks, chosen[turn % len(chosen)])
        turn_ends = time.monotonic() + TURN_S
        while time.monotonic() < turn_ends:
            strike()
        turn += 1
        intruder.beat()
        intruder.take_answers()


if __name__ == "__main__":
    main()

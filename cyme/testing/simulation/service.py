"""What clients and other branches ask of a branch, as far as a cluster sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Perform, Settle
from cyme.core.cluster.items import Key
from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Record,
    Stamp,
    WorkerSpec,
)

if TYPE_CHECKING:
    from cyme.testing.simulation.life import Life

#: The app of all instances.
APP = AppName("shop")

CALL_S = 5.0

#: What another branch asks is done within so long, in seconds.
_PERFORM_S = (0.001, 0.05)

Arguments = dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """The branch does not do what it is asked to, and says why."""

    why: str


class Service:
    """What one branch does for clients and for other branches.

    Args:
        life: The branch that it is a part of.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._world = life.world
        self._disk = life.machine.disk
        self._latest = self._disk.latest_stamp()
        self._waiting: dict[str, Callable[[Settle], None]] = {}

    def saw(self, stamp: Stamp) -> None:
        """Take note of a stamp: those of this branch are to be later."""
        self._latest = max(self._latest, stamp)

    # --- what clients ask -----------------------------------------------------------------------

    def declare(self, key: Key, deed: str) -> None:
        """Create, change or delete an app or a queue.

        Args:
            key: Of the app or the queue.
            deed: ``put`` or ``delete``.
        """
        before = self._disk.records.get(key)
        if deed == "delete" and (before is None or before.deleted):
            return
        stamp = self._stamp()
        record: Record
        if key[0] == "app":
            record = App(name=AppName(key[1]), spec=WorkerSpec(), stamp=stamp)
        else:
            record = Queue(app=AppName(key[1]), name=QueueName(key[2]), stamp=stamp)
        version = 1 if before is None else before.version + 1
        self._commit(replace(record, version=version, deleted=deed == "delete"), _nothing)

    def ask(self, name: str, deed: str, target: str = "") -> None:
        """Do something to an instance, here or at the branch that it is to be done at.

        Args:
            name: The instance.
            deed: ``create``, ``change``, ``enable``, ``disable``, ``delete`` or ``move``.
            target: The id of the branch to create it on or to move it to.
        """
        record = self._disk.instance(name)
        if record is not None and (deed != "create" or not record.deleted):
            where = record.owner
        else:
            where = BranchId(target or self._life.machine.branch)
        arguments = {"name": name, "deed": deed, "target": target}
        if where == self._life.machine.branch:
            self._do("instance", arguments, lambda ok, value: self._life.note(_outcome(ok, value)))
        else:
            self.call(where, "instance", arguments)

    def call(self, target: str, method: str, arguments: Arguments) -> None:
        """Have another branch do something."""
        id_ = f"{self._world.random.getrandbits(128):032x}"
        timeout_s = CALL_S * self._world.random.uniform(0.2, 2.0)
        self._world.watch.calls(self._life, id_, self._life.now + timeout_s)
        self._life.perform(
            self._life.node.call(
                self._life.now,
                call=id_,
                target=BranchId(target),
                method=method,
                arguments=json.dumps(arguments).encode(),
                timeout_s=timeout_s,
            )
        )

    # --- what the node says ---------------------------------------------------------------------

    def settle(self, settle: Settle) -> None:
        """Take in the end of a call."""
        self._world.watch.settles(self._life, settle)

    def perform(self, asked: Perform) -> None:
        """Do what another branch asks."""
        self._life.after(self._world.random.uniform(*_PERFORM_S), self._perform, asked)

    def _perform(self, asked: Perform) -> None:
        self._world.watch.has_effect(self._life, asked.call)

        def answer(ok: bool, value: str) -> None:
            self._life.perform(
                self._life.node.on_performed(
                    self._life.now, asked.call, ok=ok, value=value.encode()
                )
            )

        self._do(asked.method, json.loads(asked.arguments), answer)

    # --- deeds ----------------------------------------------------------------------------------

    def _do(self, method: str, arguments: Arguments, answer: Callable[[bool, str], None]) -> None:
        try:
            match method:
                case "count":
                    answer(True, "counted")
                case "take":
                    self._take(arguments["name"], answer)
                case _:
                    self._do_to_instance(arguments, answer)
        except Refused as refused:
            answer(False, refused.why)

    def _take(self, name: str, answer: Callable[[bool, str], None]) -> None:
        """Take an instance over from its owner, which asks for it."""
        record = self._disk.instance(name)
        if record is None or record.deleted:
            raise Refused("not known here")
        self._life.note(f"takes {name} from {record.owner}")
        self._life.perform(self._life.node.take(self._life.now, record))
        answer(True, "under way")

    def _do_to_instance(self, arguments: Arguments, answer: Callable[[bool, str], None]) -> None:
        name, deed, target = arguments["name"], arguments["deed"], arguments["target"]
        before = self._disk.instance(name)
        if not self._life.may_act:
            raise Refused("this branch does not know yet what it owns")
        if deed == "create":
            after = self._created(name, before)
        elif before is None or before.deleted:
            raise Refused("not found")
        elif before.owner != self._life.machine.branch:
            raise Refused(f"owned by {before.owner}")
        elif deed == "move":
            self._move(before, target)
            answer(True, "asked")
            return
        else:
            after = self._changed(before, deed)
        self._commit(after, lambda: answer(True, f"{deed} {name}"))

    def _created(self, name: str, before: Instance | None) -> Instance:
        if before is not None and not before.deleted:
            raise Refused("exists")
        me = BranchId(self._life.machine.branch)
        if self._life.machine.drained:
            raise Refused("drained")
        if self._disk.count_owned(me) >= self._life.machine.instances_max:
            raise Refused("full")
        return Instance(
            name=InstanceName(name),
            app=APP,
            home=me,
            owner=me,
            epoch=1 if before is None else before.epoch + 1,
            generation=1 if before is None else before.generation + 1,
            stamp=self._stamp(),
            version=1 if before is None else before.version + 1,
            spec=WorkerSpec(is_enabled=True),
            pinned=name.endswith("pinned"),
        )

    def _changed(self, before: Instance, deed: str) -> Instance:
        after = replace(before, version=before.version + 1, stamp=self._stamp())
        match deed:
            case "delete":
                return replace(after, deleted=True, spec=WorkerSpec())
            case "enable" | "disable":
                return replace(after, spec=WorkerSpec(is_enabled=deed == "enable"))
        return after

    def _move(self, instance: Instance, target: str) -> None:
        if self._life.node.state(target) is not BranchState.ALIVE:
            raise Refused(f"{target} is not there")
        if target != self._life.machine.branch:
            self.call(target, "take", {"name": instance.name})

    def _commit(self, record: Record, done: Callable[[], None]) -> None:
        def written(now_there: Sequence[Record]) -> None:
            self._life.perform(self._life.node.on_applied(self._life.now, now_there, here=True))
            self._world.watch.acknowledges(self._life, record)
            done()

        self._life.write([record], written, _nothing)

    def _stamp(self) -> Stamp:
        now_ms = int((self._world.timeline.now + self._life.machine.skew_s + 1.0e9) * 1000)
        self._latest = self._latest.next(now_ms, self._life.machine.branch)
        return self._latest


def _nothing() -> None:
    """Do nothing: nobody waits."""


def _outcome(ok: bool, value: str) -> str:
    return f"did {value}" if ok else f"refused: {value}"

"""A cluster in virtual time: machines, their branches, the network and the broker between them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from cyme.core.branches import BranchState
from cyme.core.cluster.members import Profile
from cyme.core.cluster.messages import Message
from cyme.core.cluster.node import Node, NodeSettings
from cyme.core.cluster.ownership import OwnershipPolicy
from cyme.core.model import BranchId, Record
from cyme.testing.simulation.chance import chance
from cyme.testing.simulation.disk import Disk
from cyme.testing.simulation.life import Life, Machine
from cyme.testing.simulation.network import Network, Weather
from cyme.testing.simulation.orphans import Orphans
from cyme.testing.simulation.quiescence import RULES, Rule, unrest
from cyme.testing.simulation.timeline import Timeline
from cyme.testing.simulation.transcript import Transcript
from cyme.testing.simulation.watch import Violation, Watch
from cyme.testing.simulation.workers import Broker, Worker

#: Less patience than a real cluster has, so that runs are short.
HASTY = OwnershipPolicy(
    takeover_s=5.0,
    majority_factor=3.0,
    rank_s=1.0,
    leave_s=12.0,
    retry_s=2.0,
    retry_s_max=8.0,
    alive_s=6.0,
    unfit_s=6.0,
    settle_s=1.0,
    prepare_s=12.0,
    examine_s=4.0,
    write_s=4.0,
)

#: What does not hold must come to hold within so long once faults have stopped, in seconds, and
#: stay so for a while.
SETTLE_S_MAX = 150.0
SETTLED_S = 6.0
_LOOK_S = 1.0

#: After a fault its branch is not held to promises about others for so long, in seconds.
DISTURBED_S = 60.0

#: A beacon is heard so often, in seconds.
_BEACON_S = (1.0, 3.0)

#: Without beacons this many branches are named to all others.
_SEEDS = 3

NodeFactory = Callable[[NodeSettings, Iterable[Record]], Node]


class World:
    """A cluster in virtual time.

    Args:
        seed: Everything that is left to chance is a function of this.
        branches: How many branches there are, ``b1`` and so on.
        policy: The patience of take-over.
        weather: How the network is when nothing is wrong with it.
        beacon: Whether branches find each other by beacons; if not, some are named to all, and
            addresses never change.
        transcript: Where to tell what happens.
        weigh: Returns the bytes of a message, to count what is sent.
        node: Makes a node.
    """

    def __init__(
        self,
        seed: int,
        branches: int,
        *,
        policy: OwnershipPolicy = HASTY,
        weather: Weather | None = None,
        beacon: bool = False,
        transcript: Transcript | None = None,
        weigh: Callable[[Message], int] | None = None,
        node: NodeFactory = Node,
    ) -> None:
        self.random = chance(seed, "world")
        self.policy = policy
        self.beacon = beacon
        self.weigh = weigh
        self.transcript = transcript if transcript is not None else Transcript()
        self.timeline = Timeline()
        self.weather = weather if weather is not None else Weather()
        self.network = Network(self.timeline, chance(seed, "network"), self.weather)
        self.broker = Broker()
        self.watch = Watch(self)
        self.network.on_message = self.watch.sent
        self.orphans = Orphans(self)
        self.calm_since = 0.0
        self._make_node = node
        self._numbers = 0
        self._disturbed: dict[str, float] = {}
        self.machines: dict[str, Machine] = {}
        for number in range(1, branches + 1):
            self.add_machine(f"b{number}", f"b{number}")
        self.timeline.after(1.0, self._each_second)

    # --- who is there ---------------------------------------------------------------------------

    def add_machine(self, name: str, branch: str, disk: Disk | None = None) -> Machine:
        """Add a machine; its branch is not started."""
        machine = self.machines[name] = Machine(
            name,
            branch,
            disk if disk is not None else Disk(),
            clock_s=self.random.uniform(0.0, 1e6),
        )
        return machine

    def lives(self) -> list[Life]:
        """Return the branches that are there, be they paused."""
        return [m.life for m in self.machines.values() if m.life is not None]

    def machine_of(self, branch: str) -> Machine | None:
        """Return the machine of a branch, that where it lives if there are two."""
        machines = [m for m in self.machines.values() if m.branch == branch]
        living = [m for m in machines if m.life is not None]
        return next(iter(living or machines), None)

    def is_looked_after(self, worker: Worker) -> bool:
        """Tell whether the branch that started a worker is there."""
        return self.machines[worker.machine].life is not None

    def next_number(self) -> int:
        """Return a number that was not returned before."""
        self._numbers += 1
        return self._numbers

    def note(self, who: str, what: str) -> None:
        """Note something in the transcript."""
        self.transcript.note(self.timeline.now, who, what)

    # --- time -----------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Violation: A rule was broken, or a node raised.
        """
        try:
            self.timeline.run_until(self.timeline.now + seconds)
        except Violation:
            raise
        except Exception as exc:  # whatever a node raises is a violation
            where = "".join(traceback.format_exception(exc)[-4:])
            raise Violation("nothing raises", where) from exc

    def settle(
        self,
        timeout_s: float = SETTLE_S_MAX,
        rules: Sequence[Rule] = RULES,
        stays_s: float = SETTLED_S,
    ) -> float:
        """Let time pass until everything is as it should be, and stays so.

        Args:
            timeout_s: It must come to that within so long, in seconds.
            rules: What is to hold.
            stays_s: For how long it must hold, in seconds.

        Returns:
            Seconds until it was so first.

        Raises:
            Violation: It did not come to that.
        """
        began = self.timeline.now
        since: float | None = None
        while since is None or self.timeline.now < since + stays_s:
            self.run(_LOOK_S)
            if not (found := unrest(self, rules)):
                since = self.timeline.now if since is None else since
                continue
            since = None
            if self.timeline.now > began + timeout_s:
                raise Violation("everything settles", "; ".join(found))
        return since - began

    def _each_second(self) -> None:
        self.timeline.after(1.0, self._each_second)
        self.watch.every_call_is_settled_in_time()
        self.orphans.look()

    # --- disturbances ---------------------------------------------------------------------------

    def disturb(self, *names: str) -> None:
        """Take note that something happens to machines, or to all (none named)."""
        self.calm_since = self.timeline.now
        for name in names or list(self.machines):
            self._disturbed[name] = self.timeline.now

    def was_disturbed(self, name: str) -> bool:
        """Tell whether something happened to a machine lately."""
        return self.timeline.now < self._disturbed.get(name, float("-inf")) + DISTURBED_S

    def start(self, name: str) -> None:
        """Start the branch of a machine, unless it is there."""
        machine = self.machines[name]
        if machine.life is not None or not machine.powered or machine.retired is not None:
            return
        self.disturb(name)
        machine.disk.boot += 1
        if self.beacon:
            machine.port += 1
        calls_at, beats_at = self.endpoints(machine)
        profile = Profile(
            calls_at=calls_at,
            beats_at=beats_at,
            nonce=f"{self.random.getrandbits(64):016x}",
            protocol=machine.protocol,
            instances_max=machine.instances_max,
            drained=machine.drained,
        )
        settings = NodeSettings(
            branch=BranchId(machine.branch),
            boot=machine.disk.boot,
            profile=profile,
            seed=self.random.getrandbits(64),
            joins=() if self.beacon else self._seeds(machine),
            known=machine.disk.known,
            policy=self.policy,
        )
        self.note(name, f"starts, boot {machine.disk.boot}, at {calls_at}")
        node = self._make_node(settings, list(machine.disk.records.values()))
        life = Life(self, machine, node, calls_at=calls_at, beats_at=beats_at)
        machine.life = life
        self.network.attach(life)
        life.begin()
        if self.beacon:
            life.after(self.random.uniform(0.0, 0.5), self._hear_beacons, life)

    def _seeds(self, machine: Machine) -> tuple[str, ...]:
        """Return the endpoints that a branch is told to join."""
        seeds = list(self.machines.values())[:_SEEDS]
        return tuple(self.endpoints(seed)[0] for seed in seeds if seed is not machine)

    def start_all(self, within_s: float = 1.0) -> None:
        """Start all branches within so many seconds."""
        for name in self.machines:
            self.timeline.after(self.random.uniform(0.0, within_s), self.start, name)

    def endpoints(self, machine: Machine) -> tuple[str, str]:
        """Return the endpoints of a machine's ROUTER and PUB sockets."""
        return (
            f"tcp://{machine.name}:{9000 + 2 * machine.port}",
            f"tcp://{machine.name}:{9001 + 2 * machine.port}",
        )

    def crash(self, name: str) -> None:
        """End the branch of a machine at once; its workers live on."""
        machine = self.machines[name]
        if machine.life is not None:
            self.disturb(name)
            self.note(name, "crashes")
            machine.life.end()

    def power_off(self, name: str) -> None:
        """Switch a machine off."""
        self.disturb(name)
        machine = self.machines[name]
        machine.powered = False
        self.note(name, "loses power")
        if machine.life is not None:
            machine.life.end()
        for worker in self.broker.on(name):
            self.broker.end(worker)

    def power_on(self, name: str) -> None:
        """Switch a machine on, and start its branch."""
        self.machines[name].powered = True
        self.start(name)

    def halted(self, life: Life, reason: str) -> None:
        """Take note that a branch ended itself, as another one has its place.

        Whoever runs the machine takes the copy away, and its workers with it.
        """
        machine = life.machine
        self.disturb(machine.name)
        machine.retired = reason
        life.end()
        for worker in self.broker.on(machine.name):
            self.broker.end(worker)

    def pause(self, name: str, *, machine: bool = False) -> None:
        """Stop a branch as by SIGSTOP, or its whole machine."""
        self.disturb(name)
        self.note(name, "freezes" if machine else "is paused")
        if machine:
            self.broker.frozen.add(name)
        if (life := self.machines[name].life) is not None:
            life.pause()

    def resume(self, name: str) -> None:
        """Let a branch go on, or its whole machine."""
        self.disturb(name)
        self.broker.frozen.discard(name)
        if (life := self.machines[name].life) is not None and life.paused:
            self.note(name, "goes on")
            life.resume()

    def leave(self, name: str) -> None:
        """Have a branch stop as one asks it to; its workers stay."""
        life = self.machines[name].life
        if life is None or life.paused or life.leaving:
            return
        self.disturb(name)
        self.note(name, "is asked to stop")
        life.leaving = True
        life.perform(life.node.leave(life.now))
        life.after(self.random.uniform(0.3, 2.0), self._left, life)

    def drain(self, name: str, *, drained: bool) -> None:
        """Say that a branch takes no instances any more, or takes them again."""
        self.disturb(name)
        machine = self.machines[name]
        machine.drained = drained
        self.note(name, "is drained" if drained else "is not drained any more")
        if machine.life is not None:
            machine.life.after(0.0, self._tell_drained, machine.life)

    def clone(self, name: str, *, empty: bool = False) -> str:
        """Start a second branch of the same id, from a copy of the directory or an empty one.

        Returns:
            The name of its machine.
        """
        self.disturb()
        origin = self.machines[name]
        twin_name = f"{name}-{'again' if empty else 'copy'}{self.next_number()}"
        disk = Disk() if empty else origin.disk.copied()
        twin = self.add_machine(twin_name, origin.branch, disk)
        origin.twin = twin.twin = True
        self.start(twin_name)
        return twin_name

    def kill_worker(self, number: int) -> None:
        """Kill one of the workers."""
        workers = self.broker.workers()
        if workers:
            worker = workers[number % len(workers)]
            self.disturb(worker.machine)
            self.note(worker.machine, f"{worker.instance}@{worker.branch} is killed")
            self.broker.end(worker)

    def heal(self) -> None:
        """End all faults of the network, the broker, the disks and the machines."""
        self.disturb()
        self.note("-", "all faults end")
        self.network.walls.clear()
        self.network.deaf.clear()
        self.network.slow.clear()
        self.network.weather = self.weather
        self.broker.up = True
        self.broker.cut_off.clear()
        for name, machine in self.machines.items():
            machine.disk.full = False
            machine.capable = True
            self.resume(name)
            if machine.drained:
                self.drain(name, drained=False)

    def return_all(self, within_s: float = 1.0) -> None:
        """Start all that are not there, but for copies of branches that are."""
        for name, machine in self.machines.items():
            machine.powered = True
            self.timeline.after(self.random.uniform(0.0, within_s), self._return, name)

    def _return(self, name: str) -> None:
        machine = self.machines[name]
        present = self.machine_of(machine.branch)
        if present is None or present.life is None:
            self.start(name)

    def _left(self, life: Life) -> None:
        life.perform(life.node.left(life.now))
        life.note("has stopped")
        life.end()

    def _tell_drained(self, life: Life) -> None:
        profile = replace(life.node.statement.profile, drained=life.machine.drained)
        life.perform(life.node.change_profile(life.now, profile))
        if not life.machine.drained:
            return
        others = [
            other.machine.branch
            for other in self.lives()
            if life.node.state(other.machine.branch) is BranchState.ALIVE
            and not other.machine.drained
            and other is not life
        ]
        for instance in life.machine.disk.instances():
            if instance.owner == life.machine.branch and others:
                life.service.ask(instance.name, "move", self.random.choice(others))

    def _hear_beacons(self, life: Life) -> None:
        life.after(self.random.uniform(*_BEACON_S), self._hear_beacons, life)
        for other in self.network.routers():
            if other is not life and other.alive and self.network.reaches(other.name, life.name):
                life.perform(life.node.on_found(life.now, other.calls_at))

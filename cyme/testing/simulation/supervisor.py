"""A supervisor as far as a cluster sees it: starts and stops workers as ownership asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyme.core.cluster.ownership import Verdict
from cyme.core.model import Instance
from cyme.core.status import InstanceState, InstanceStatus
from cyme.testing.simulation.workers import Phase, Worker

if TYPE_CHECKING:
    from cyme.testing.simulation.life import Life

PASS_S = 1.0

#: A pass follows a change so soon, in seconds.
_NUDGE_S = 0.05

#: A worker starts, and stops warmly, within so long, in seconds.
_START_S = (0.5, 3.0)
_STOP_S = (0.2, 3.0)

#: The broker, and the machine, are examined within so long, in seconds.
_EXAMINE_S = (0.05, 1.0)

#: How likely a worker that is prepared does not come up.
_STILLBORN = 0.03

_STATES = {
    Phase.STARTING: InstanceState.STARTING,
    Phase.RUNNING: InstanceState.RUNNING,
    Phase.STOPPING: InstanceState.STOPPING,
}


class Supervisor:
    """Looks after the workers of one machine.

    Args:
        life: The branch that it is a part of.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._world = life.world
        self._machine = life.machine
        self._nudged = False
        self._prepared: dict[str, Instance] = {}
        self._told: dict[str, InstanceState] = {}

    def begin(self) -> None:
        """Look after the workers every ``PASS_S``; those that run already are adopted."""
        self._life.after(PASS_S * self._world.random.random(), self._pass_on_time)

    def nudge(self) -> None:
        """Look after them soon, as something changed."""
        if not self._nudged:
            self._nudged = True
            self._life.after(_NUDGE_S, self._pass_nudged)

    def worker(self, instance: str) -> Worker | None:
        """Return the worker of an instance on this machine."""
        for worker in self._world.broker.workers(instance):
            if worker.machine == self._machine.name:
                return worker
        return None

    # --- what the node asks ---------------------------------------------------------------------

    def examine(self, instance: Instance) -> None:
        """Find out whether this branch may run an instance."""
        delay_s = self._world.random.uniform(*_EXAMINE_S)
        self._life.after(delay_s, self._examined, instance)

    def prepare(self, instance: Instance) -> None:
        """Run the worker of an instance that another branch owns."""
        self._life.note(f"prepares {instance.name}")
        self._prepared[instance.name] = instance
        worker = self.worker(instance.name)
        if worker is None:
            if self._world.random.random() < _STILLBORN:
                self._life.after(self._start_s(), self._stillborn, instance)
            elif self._world.broker.reached_from(self._machine.name):
                self._start(instance.name)
            else:
                self._life.after(self._start_s(), self._stillborn, instance)
        elif worker.phase is Phase.RUNNING:
            self._life.after(_NUDGE_S, self._report_prepared, instance.name)

    def abandon(self, instance: Instance) -> None:
        """Stop a worker that was prepared."""
        self._life.note(f"abandons {instance.name}")
        self._prepared.pop(instance.name, None)
        self.nudge()

    def _examined(self, instance: Instance) -> None:
        verdict, why = self._verdict(instance)
        self._life.note(f"finds {instance.name} of {instance.owner} {verdict}")
        self._life.perform(self._life.node.on_examined(self._life.now, instance, verdict, why))

    def _verdict(self, instance: Instance) -> tuple[Verdict, str]:
        if not self._machine.capable:
            return Verdict.UNFIT, "the machine lacks its interpreter"
        if not self._world.broker.reached_from(self._machine.name):
            return Verdict.BROKER_AWAY, "the broker does not answer"
        if self._world.broker.answers(instance.name, instance.owner):
            return Verdict.ALIVE, "its worker answers"
        return Verdict.FREE, ""

    # --- passes ---------------------------------------------------------------------------------

    def _pass_on_time(self) -> None:
        self._life.after(PASS_S * self._world.random.uniform(0.9, 1.1), self._pass_on_time)
        self._pass()

    def _pass_nudged(self) -> None:
        self._nudged = False
        self._pass()

    def _pass(self) -> None:
        if not self._life.may_act or self._life.leaving:
            return
        instances = self._machine.disk.instances()
        mine: set[str] = {i.name for i in instances if i.owner == self._machine.branch}
        for name in mine:
            self._prepared.pop(name, None)
        enabled: set[str] = {i.name for i in instances if i.spec.is_enabled is not False}
        for name in self._prepared.keys() - enabled:
            del self._prepared[name]
        self._stop_unwanted(mine, enabled)
        for instance in instances:
            if instance.name in mine and instance.name in enabled:
                self._start_owned(instance)

    def _stop_unwanted(self, mine: set[str], enabled: set[str]) -> None:
        for worker in self._world.broker.on(self._machine.name):
            wanted = worker.instance in enabled and (
                worker.instance in mine or self._life.node.keeps(worker.instance)
            )
            if not wanted and worker.phase is not Phase.STOPPING:
                self._stop(worker)

    def _start_owned(self, instance: Instance) -> None:
        worker = self.worker(instance.name)
        if worker is not None:
            self._tell(worker)
        elif self._world.broker.reached_from(self._machine.name):
            self._start(instance.name)

    # --- workers --------------------------------------------------------------------------------

    def _start_s(self) -> float:
        return self._world.random.uniform(*_START_S)

    def _start(self, instance: str) -> None:
        self._life.note(f"starts {instance}@{self._machine.branch}")
        worker = self._world.broker.start(instance, self._machine.branch, self._machine.name)
        self._world.watch.starts(self._life, worker)
        # The process comes up, or ends, whatever becomes of the branch meanwhile.
        self._world.timeline.after(self._start_s(), self._up, worker)

    def _up(self, worker: Worker) -> None:
        if not worker.alive or worker.phase is not Phase.STARTING:
            return
        worker.phase = Phase.RUNNING
        self._life.note(f"runs {worker.instance}@{worker.branch}")
        self._life.after(0.0, self._came_up, worker)

    def _came_up(self, worker: Worker) -> None:
        self._report_prepared(worker.instance)
        self._tell(worker)

    def _stop(self, worker: Worker) -> None:
        self._life.note(f"stops {worker.instance}@{worker.branch}")
        self._world.watch.stops(self._life, worker)
        worker.phase = Phase.STOPPING
        self._tell(worker)
        self._world.timeline.after(self._world.random.uniform(*_STOP_S), self._down, worker)

    def _down(self, worker: Worker) -> None:
        if not worker.alive:
            return
        self._world.broker.end(worker)
        self._life.note(f"stopped {worker.instance}@{worker.branch}")
        self._life.after(0.0, self._went_down, worker.instance)

    def _went_down(self, instance: str) -> None:
        wanted = instance in self._prepared and self._life.node.keeps(instance)
        if wanted and self.worker(instance) is None:
            self._start(instance)
        self.nudge()

    def _stillborn(self, instance: Instance) -> None:
        self._prepared.pop(instance.name, None)
        self._life.note(f"cannot prepare {instance.name}")
        self._life.perform(
            self._life.node.on_prepared(
                self._life.now, instance, running=False, why="it did not come up"
            )
        )

    def _report_prepared(self, name: str) -> None:
        instance, worker = self._prepared.get(name), self.worker(name)
        if instance is not None and worker is not None and worker.phase is Phase.RUNNING:
            self._life.perform(self._life.node.on_prepared(self._life.now, instance, running=True))

    def _tell(self, worker: Worker) -> None:
        """Tell the cluster what became of a worker, if it does not know."""
        record = self._machine.disk.instance(worker.instance)
        state = _STATES[worker.phase]
        if record is None or record.owner != self._machine.branch:
            return
        if self._told.get(worker.instance) is not state:
            self._told[worker.instance] = state
            status = InstanceStatus(state=state, reason="the simulation says so")
            self._life.perform(self._life.node.on_status(self._life.now, worker.instance, status))

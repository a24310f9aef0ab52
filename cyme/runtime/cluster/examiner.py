"""Finding out whether this branch may run an instance whose owner is gone.

The broker is the witness: a worker that answers on it is alive, whatever became of its branch,
and is left alone. A worker that is silent is held to be gone only if the broker has been there
for long enough that the worker could have come back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from cyme.core.cluster.ownership import Verdict
from cyme.core.launch import WorkerDefaults, effective_spec
from cyme.core.model import Broker, Instance
from cyme.core.names import node_name
from cyme.core.ports import Control, Machine
from cyme.core.supervision import Policy
from cyme.errors import BrokerUnavailable, DeadlineExceeded, Overloaded
from cyme.runtime.brokers import Brokers
from cyme.runtime.replica import Replica

#: A worker is asked so often, and has so long to answer each time, in seconds.
QUESTIONS = 2
QUESTION_TIMEOUT_S = 2.0

#: Two rounds of questions that wait for their turn behind others are over after so long, in
#: seconds; a limit for what should never happen.
ROUNDS_TIMEOUT_S = 60.0


@dataclass(slots=True, eq=False)
class _Round:
    """Workers on one broker that are asked together, as a question costs the same for all."""

    nodes: set[str] = field(default_factory=set)
    answered: AsyncResult[frozenset[str]] = field(default_factory=AsyncResult)


@dataclass(slots=True, eq=False)
class _Witness:
    """A broker that is being asked: at most one round at a time, while the next one gathers."""

    asking: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))
    gathering: _Round | None = None
    rounds: int = 0


class Examiner:
    """Finds out whether this branch may run an instance of a branch that is gone.

    Many greenlets may examine at a time; those who ask the same broker share their questions.

    Args:
        brokers: Remote control.
        replica: The records.
        machine: What this machine has for workers.
        defaults: What this branch gives to its workers.
        default_broker: The broker of instances whose app names none.
        wait_after_revived_s: Time that workers have to come back with their broker, in seconds.
    """

    def __init__(
        self,
        *,
        brokers: Brokers,
        replica: Replica,
        machine: Machine,
        defaults: WorkerDefaults,
        default_broker: Broker,
        wait_after_revived_s: float = Policy().wait_after_broker_revived_s,
    ) -> None:
        self._brokers = brokers
        self._replica = replica
        self._machine = machine
        self._defaults = defaults
        self._default_broker = default_broker
        self._wait_after_revived_s = wait_after_revived_s
        self._witnesses: dict[str, _Witness] = {}

    def __call__(self, instance: Instance) -> tuple[Verdict, str]:
        """As ``examine``."""
        return self.examine(instance)

    def examine(self, instance: Instance) -> tuple[Verdict, str]:
        """Return whether this branch may run an instance, and why not in words.

        Takes about ``QUESTIONS * QUESTION_TIMEOUT_S`` where nobody answers, and longer where
        the broker is busy.
        """
        app = self._replica.app(instance.app)
        if app is None:
            return Verdict.UNFIT, f"its app {instance.app!r} is not known here"
        spec = effective_spec(instance, app, self._default_broker)
        if lacking := self._machine.lacks(spec.python or self._defaults.python, spec.workdir):
            return Verdict.UNFIT, lacking
        broker = spec.broker or self._default_broker
        try:
            control = self._brokers.control(broker)
        except Overloaded as exc:
            return Verdict.UNFIT, exc.detail
        return self._ask_witness(broker, control, node_name(instance.name, instance.owner))

    def _ask_witness(self, broker: Broker, control: Control, node: str) -> tuple[Verdict, str]:
        try:
            is_there = self._answers(broker, control, node)
        except (BrokerUnavailable, DeadlineExceeded, Overloaded) as exc:
            return Verdict.BROKER_AWAY, exc.detail
        if is_there:
            return Verdict.ALIVE, f"its worker {node} answers on {broker.masked_url}"
        back_s = self._brokers.back_s(broker)
        if back_s is not None and back_s < self._wait_after_revived_s:
            return Verdict.BROKER_AWAY, (
                f"the broker {broker.masked_url} came back {back_s:.0f} s ago, and its workers "
                f"have {self._wait_after_revived_s:.0f} s to follow"
            )
        return Verdict.FREE, ""

    # --- questions ------------------------------------------------------------------------------

    def _answers(self, broker: Broker, control: Control, node: str) -> bool:
        """Tell whether a worker answers; whoever comes first asks for those who come meanwhile."""
        witness = self._witnesses.setdefault(broker.url, _Witness())
        joined = witness.gathering
        if joined is not None:
            joined.nodes.add(node)
            return node in self._answered(joined)
        mine = witness.gathering = _Round({node})
        witness.rounds += 1
        try:
            self._ask_round(witness, mine, control)
        finally:
            if witness.gathering is mine:
                witness.gathering = None
            witness.rounds -= 1
            if not witness.rounds:
                self._witnesses.pop(broker.url, None)
        return node in self._answered(mine)

    def _ask_round(self, witness: _Witness, mine: _Round, control: Control) -> None:
        """Ask, and tell all of the round what came of it, whatever that is."""
        try:
            gevent.sleep(0)  # let those join who examine in the same moment
            with witness.asking:
                witness.gathering = None
                mine.answered.set(_answering(control, frozenset(mine.nodes)))
        except (BrokerUnavailable, DeadlineExceeded, Overloaded) as exc:
            mine.answered.set_exception(exc)
        finally:
            if not mine.answered.ready():
                mine.answered.set_exception(DeadlineExceeded("The question was broken off."))

    def _answered(self, asked: _Round) -> frozenset[str]:
        try:
            answered: frozenset[str] = asked.answered.get(timeout=ROUNDS_TIMEOUT_S)
        except gevent.Timeout:
            raise DeadlineExceeded("The broker was too busy to be asked in time.") from None
        return answered


def _answering(control: Control, nodes: frozenset[str]) -> frozenset[str]:
    """Return which of the nodes answer; the silent ones are asked again."""
    silent = nodes
    for _ in range(QUESTIONS):
        reports = control.survey(sorted(silent), with_limits=False, timeout_s=QUESTION_TIMEOUT_S)
        silent -= reports.keys()
        if not silent:
            break
    return nodes - silent

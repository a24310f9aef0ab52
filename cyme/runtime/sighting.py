"""What a pass sees of an instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cyme.core.status import InstanceState
from cyme.core.supervision import Sight
from cyme.core.workers import ProcessState
from cyme.runtime.brokers import BrokerView
from cyme.runtime.charges import Charge

LOG_LINES_READ = 40
LAST_WORDS_CHARS_MAX = 300


def sight_of(
    charge: Charge,
    view: BrokerView,
    log_tail: Callable[[str, int], Sequence[str]],
    *,
    starting: int,
    starts_max: int,
    restraint: str,
) -> Sight:
    """Return what is seen of an instance.

    Args:
        charge: The instance, with the look and the answer of this pass.
        view: What is known of its broker.
        log_tail: Returns the last lines of an instance's log.
        starting: How many workers are starting.
        starts_max: How many may be at once.
        restraint: Why nothing may be done about it now, in words; or empty.
    """
    look, answer = charge.look, charge.answer
    last_words = ""
    if charge.memory.state is InstanceState.STARTING and look is not None:
        if look.state is ProcessState.GONE:
            last_words = _last_words(log_tail(charge.name, LOG_LINES_READ))
        # What was asked before this process was made, another one answered.
        if answer is not None and answer.asked_at < charge.memory.since:
            answer = None
    return Sight(
        look=look,
        last_words=last_words,
        broker_up=view.up,
        broker_since=view.since,
        asked_at=answer.asked_at if answer is not None else None,
        report=answer.report if answer is not None else None,
        may_start=starting < starts_max,
        starts_under_way=starting,
        restraint=restraint,
    )


def _last_words(lines: Sequence[str]) -> str:
    """Return the line of a log that most likely says why a worker ended."""
    # What the command of Celery says stands in the lines behind one that is 'Error:' alone.
    told = [line.strip() for line in lines if line.strip() not in {"", "Error:"}]
    errors = [line for line in told if "Error" in line or "CRITICAL" in line]
    words = (errors or told or [""])[-1]
    return words[:LAST_WORDS_CHARS_MAX]

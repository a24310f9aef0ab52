"""The questions: their names and where they are answered. Nothing is loaded until it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from benchmarks.failure import BenchmarkFailed
from benchmarks.report import Answer
from benchmarks.run import Run


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a module of ``benchmarks.questions`` answers with its ``ask``.

    Attributes:
        name: Its name, and that of its module.
        text: The question.
    """

    name: str
    text: str

    def ask(self, run: Run) -> Answer:
        """Answer it.

        Raises:
            BenchmarkFailed: It cannot be answered.
        """
        return cast(Answer, import_module(f"benchmarks.questions.{self.name}").ask(run))


QUESTIONS = (
    Question("read", "How fast is one instance read over HTTP, beside bare falcon on pywsgi?"),
    Question("write", "How fast is a durable write by 1 and by 64 clients, beside bare SQLite?"),
    Question("footprint", "What do memory and idle CPU of a branch with 0 and 20 instances cost?"),
    Question("burst", "How soon do 20 new instances answer, beside one 'celery multi start'?"),
    Question("forward", "What does a call cost that goes to its owner, beside one at the owner?"),
    Question("events", "How do 1,000 clients follow events beside 1,000 reads a second?"),
    Question("spread", "How soon is a write on one branch readable on four others?"),
    Question("gossip", "What do 10, 50 and 100 members cost each of them while nothing happens?"),
    Question("converge", "How soon do 9 others know that a member died, or that one came?"),
)


def chosen(names: Sequence[str]) -> list[Question]:
    """Return the questions of these names, or all if none is named.

    Raises:
        BenchmarkFailed: There is no such question.
    """
    known = {question.name: question for question in QUESTIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BenchmarkFailed(
            f"There is no question {', '.join(unknown)}; there are {', '.join(known)}."
        )
    return [known[name] for name in names] if names else list(QUESTIONS)

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from benchmarks import __main__ as program
from benchmarks import display
from benchmarks.branch import BRANCH_ID, running_branch
from benchmarks.display import figure
from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Series
from benchmarks.registry import QUESTIONS, chosen
from benchmarks.report import Answer, load
from benchmarks.run import EMBEDDED, Run


class Quiet:
    def expect(self, steps: int) -> None:
        pass

    def step(self, text: str) -> None:
        pass


class Fake:
    """A question with an answer that is known before."""

    name = "fake"
    text = "Is it known?"

    def __init__(self, *, fails: bool = False, value: float = 1.0) -> None:
        self.fails = fails
        self.value = value
        self.runs: list[Run] = []

    def ask(self, run: Run) -> Answer:
        self.runs.append(run)
        run.progress.expect(1)
        run.progress.step("look [it] up")
        if self.fails:
            raise BenchmarkFailed("no luck")
        assert list(run.directory.iterdir()) == []
        return Answer(
            "fake", (Series("time", "s", (self.value,)),), bars=(Bar("time", self.value, 2.0),)
        )


def use(monkeypatch: pytest.MonkeyPatch, *questions: Fake) -> None:
    def fakes(_: Sequence[str]) -> list[Fake]:
        return list(questions)

    monkeypatch.setattr(program, "chosen", fakes)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program.main, [str(argument) for argument in arguments])


def test_lists_every_question() -> None:
    output = invoke("list").output
    assert all(question.name in output and question.text in output for question in QUESTIONS)


def test_every_question_has_a_module_that_asks_it() -> None:
    for question in QUESTIONS:
        assert callable(import_module(f"benchmarks.questions.{question.name}").ask)


def test_loads_no_question_before_it_is_asked() -> None:
    loaded = [name for name in sys.modules if name.startswith("benchmarks.questions.")]
    for name in loaded:
        del sys.modules[name]
    assert invoke("list").exit_code == 0
    assert not [name for name in sys.modules if name.startswith("benchmarks.questions.")]


def test_chooses_questions_by_name() -> None:
    assert [question.name for question in chosen(["write", "read"])] == ["write", "read"]
    assert chosen([]) == list(QUESTIONS)
    with pytest.raises(BenchmarkFailed, match="no question nonsense; there are read"):
        chosen(["nonsense"])


def test_an_unknown_question_is_told_without_a_traceback() -> None:
    result = invoke("run", "nonsense")
    assert result.exit_code == 1
    assert "There is no question nonsense" in result.output


def test_runs_shows_and_writes_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    question = Fake()
    use(monkeypatch, question)
    path = tmp_path / "report.json"
    option = "--branch-option=--parallel-starts=8"
    result = invoke("run", "--quick", "--seed", "7", "--json", path, option)
    assert result.exit_code == 0, result.output
    assert "Is it known?" in result.output
    assert "holds: time 1.00" in result.output
    assert "look [it] up" not in result.output  # progress is for terminals
    report = load(path)
    assert (report.seed, report.quick, report.broker) == (7, True, "embedded")
    assert [answer.question for answer in report.answers] == ["fake"]
    assert question.runs[0].quick
    assert question.runs[0].branch_options == report.branch_options == ("--parallel-starts=8",)
    assert not question.runs[0].directory.exists()


def test_a_broker_is_named_by_a_word_or_a_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    question = Fake()
    use(monkeypatch, question)
    path = tmp_path / "report.json"
    for broker, url in (("redis", program.BROKERS["redis"]), ("amqp://u:pw@h", "amqp://u:pw@h")):
        assert invoke("run", "--broker", broker, "--json", path).exit_code == 0
        assert question.runs[-1].broker == url
    assert "pw" not in path.read_text()


def test_a_question_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, Fake(fails=True), Fake())
    path = tmp_path / "report.json"
    result = invoke("run", "--json", path)
    assert result.exit_code == 1
    assert "fake: no luck" in result.output
    report = load(path)
    assert report.failures == {"fake": "no luck"}
    assert len(report.answers) == 1


def test_a_missed_bar_is_an_error_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Fake(value=3.0))
    assert invoke("run").exit_code == 0
    result = invoke("run", "--strict")
    assert result.exit_code == 1
    assert "missed: time 3.00, at most 2.00" in result.output


def test_compares_two_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 1.5)):
        use(monkeypatch, Fake(value=value))
        invoke("run", "--json", tmp_path / name)
    result = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 0
    assert "worse" in result.output
    assert "1.50" in result.output
    assert invoke("compare", tmp_path / "a", tmp_path / "missing").exit_code == 1


def test_progress_is_shown_on_a_terminal() -> None:
    console = Console(force_terminal=True, width=100)
    with console.capture() as captured, display.progress(console, "fake") as shown:
        shown.expect(2)
        shown.step("look [it] up")
    assert "fake: look [it] up" in captured.get()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_a_figure_has_three_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text
    assert figure(value, "ms") == f"{text} ms"


def test_a_branch_that_does_not_come_up_shows_why(tmp_path: Path) -> None:
    (tmp_path / BRANCH_ID).write_text("a file where the directory should be")
    run = Run(
        quick=True,
        random=Random(1),
        broker=EMBEDDED,
        branch_options=(),
        directory=tmp_path,
        progress=Quiet(),
    )
    with (
        pytest.raises(BenchmarkFailed, match="The branch ended with"),
        running_branch(run),
    ):
        pytest.fail("it came up")

"""bin/test runs a few failed tests again, by themselves, and says what came of it."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.house.checkout import ROOT

pytestmark = pytest.mark.timeout(120)

PROGRAMS = Path(sys.executable).parent

#: Fails where nothing has run before, and passes from then on.
PASSES_LATER = """
from pathlib import Path

def test_a_look_that_came_too_early():
    marker = Path(__file__).with_suffix(".seen")
    seen = marker.exists()
    marker.touch()
    assert seen

def test_another():
    pass
"""

FAILS = """
import pytest

@pytest.mark.parametrize("of", range({count}))
def test_what_is_wrong(of):
    assert not "this"
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return bin/test as a module, for the tests in a directory of their own."""
    monkeypatch.syspath_prepend(str(ROOT / "bin"))
    loader = SourceFileLoader("bin_test", str(ROOT / "bin" / "test"))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, loader.name, module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "FAILED_TESTS", tmp_path / "a cache" / "steps")
    return module


def outcomes(runner: ModuleType, *sources: str) -> list[object]:
    """Run a step for each source, as they are run side by side, and return how they ended."""
    steps = []
    for number, source in enumerate(sources):
        (runner.ROOT / f"test_{number}.py").write_text(source)
        steps.append(runner.Step(f"tests of {number}, here", [f"pytest test_{number}.py"]))
    return runner.tried_alone(runner.side_by_side(steps, PROGRAMS), PROGRAMS)  # type: ignore[no-any-return]


def test_a_test_that_passes_by_itself_is_named_and_does_not_fail_the_run(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = outcomes(runner, "def test_right(): pass", PASSES_LATER)
    assert runner.report(ended, 1.0) == 0
    told = capfd.readouterr().out
    assert "SHAKY            test_1.py::test_a_look_that_came_too_early failed" in told
    assert told.count("SHAKY") == 1


def test_a_test_that_fails_by_itself_too_fails_the_run(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = outcomes(runner, PASSES_LATER, FAILS.format(count=1))
    assert runner.report(ended, 1.0) == 1
    assert "FAILED" in capfd.readouterr().out.rpartition("== summary")[2]


def test_many_failed_tests_are_not_tried_again(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = outcomes(runner, PASSES_LATER, FAILS.format(count=runner.ALONE_MAX))
    assert runner.report(ended, 1.0) == 1
    assert "once more" not in capfd.readouterr().out


def test_a_run_that_broke_off_is_not_tried_again(
    runner: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = outcomes(runner, "def test_right(): pass", "import nothing_of_the_sort")
    assert runner.report(ended, 1.0) == 1
    assert "once more" not in capfd.readouterr().out

import pytest

from cyme.core.usage import Usage, used
from cyme.core.workers import Look, Process, ProcessState

PROCESS = Process(10, 1.0, "boot")


def look(cpu_s: float) -> Look:
    return Look(state=ProcessState.ALIVE, cpu_s=cpu_s)


def after(*looks: tuple[float, float]) -> Usage:
    usage = None
    for now, cpu_s in looks:
        usage = used(usage, PROCESS, look(cpu_s), now)
    assert usage is not None
    return usage


def test_one_look_says_nothing_of_what_is_used() -> None:
    assert after((100.0, 7.0)).cpu is None


def test_two_looks_tell_how_many_processors_are_used() -> None:
    assert after((100.0, 7.0), (102.0, 10.0)).cpu == pytest.approx(1.5)


def test_looks_that_follow_each_other_at_once_are_not_compared() -> None:
    assert after((100.0, 7.0), (100.01, 7.01)).cpu is None
    assert after((100.0, 7.0), (101.0, 7.5), (101.01, 7.51)).cpu == pytest.approx(0.5)


def test_each_window_begins_where_the_one_before_ended() -> None:
    assert after((100.0, 7.0), (101.0, 8.0), (102.0, 8.25)).cpu == pytest.approx(0.25)


def test_children_that_nobody_reaped_do_not_make_it_negative() -> None:
    assert after((100.0, 7.0), (101.0, 3.0)).cpu == 0.0


def test_another_process_is_looked_at_anew() -> None:
    usage = used(after((100.0, 7.0), (101.0, 8.0)), Process(11, 9.0, "boot"), look(0.1), 102.0)

    assert usage.cpu is None
    assert (usage.at, usage.cpu_s) == (102.0, 0.1)

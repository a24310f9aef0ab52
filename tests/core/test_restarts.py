"""The restart budget."""

from hypothesis import given
from hypothesis import strategies as st

from cyme.core.restarts import CLEAN, RestartPolicy, RestartRecord, after_failure

POLICY = RestartPolicy(period_s=60, delay_s_first=5, delay_s_max=40, jitter=0.25, failures_max=6)


def fail(record: RestartRecord, *, ran_s: float = 0.0, now: float = 100.0) -> RestartRecord:
    return after_failure(record, POLICY, name="w", ran_s=ran_s, now=now)


def fail_often(times: int) -> RestartRecord:
    record = CLEAN
    for _ in range(times):
        record = fail(record)
    return record


def test_mends_the_first_failure_at_once() -> None:
    assert fail(CLEAN) == RestartRecord(failures=1, retry_at=100.0)


def test_pauses_grow_from_the_second_failure_on_up_to_the_longest() -> None:
    delays = [fail_often(n).retry_at - 100.0 for n in range(1, 7)]
    assert delays[0] == 0
    for delay, least in zip(delays[1:], [5, 10, 20, 40, 40], strict=True):
        assert least <= delay <= least * 1.25


def test_gives_up_after_the_allowed_failures() -> None:
    assert not fail_often(6).given_up
    assert fail_often(7).given_up


def test_a_good_period_wipes_the_record() -> None:
    assert fail(fail_often(6), ran_s=60.0) == RestartRecord(failures=1, retry_at=100.0)
    assert fail(fail_often(6), ran_s=59.9).given_up


@given(st.text(), st.integers(2, 6))
def test_jitter_only_lengthens_a_pause(name: str, failures: int) -> None:
    before = RestartRecord(failures=failures - 1)
    record = after_failure(before, POLICY, name=name, ran_s=0, now=0)
    plain_s = min(40, 5 * 2 ** (failures - 2))
    assert plain_s <= record.retry_at <= plain_s * 1.25


def test_jitter_spreads_a_fleet_that_fell_together() -> None:
    before = RestartRecord(failures=4)
    moments = {
        after_failure(before, POLICY, name=f"w{n}", ran_s=0, now=0).retry_at for n in range(20)
    }
    assert len(moments) == 20

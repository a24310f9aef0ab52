from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core import alerts
from cyme.core.alerts import (
    FLAP_FACTOR_MAX,
    FLAP_S,
    PATIENCE,
    Alert,
    AlertBook,
    AlertKey,
    AlertKind,
    AlertState,
    Condition,
    Ground,
    Notice,
)

WALL = 1_700_000_000.0
DEEP = AlertKey(kind=AlertKind.QUEUE_DEEP, subject="tasks", app="shop")
DISABLED = AlertKey(kind=AlertKind.INSTANCE_DISABLED, subject="w1", app="shop")
FAILED = AlertKey(kind=AlertKind.BRANCH_FAILED, subject="b2")


class Looking:
    """A book, and somebody who looks every second."""

    def __init__(self) -> None:
        self.book = AlertBook("default", "b1")
        self.now = 0.0
        self.ground: dict[AlertKey, Ground] = {}

    def see(self, *keys: AlertKey, since: float | None = None) -> list[Notice]:
        self.now += 1.0
        conditions = [Condition(key=key, reason=f"{key.subject}!", since=since) for key in keys]
        return self.book.see(
            conditions,
            lambda key: self.ground.get(key, Ground.OVER),
            now=self.now,
            wall=WALL + self.now,
        )

    def until_told(self, *keys: AlertKey, within_s: int = 5_000) -> tuple[Notice, int]:
        """Look until something is told; return it and how many seconds that took."""
        for seconds in range(within_s):
            notices = self.see(*keys)
            if notices:
                (notice,) = notices
                return notice, seconds
        raise AssertionError("nothing is told")

    def none_for(self, seconds: int, *keys: AlertKey) -> None:
        for _ in range(seconds):
            assert self.see(*keys) == []


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_every_kind_has_its_patience() -> None:
    assert PATIENCE.keys() == set(AlertKind)


def test_trouble_is_told_once_and_once_when_it_is_over(looking: Looking) -> None:
    (began,) = looking.see(DISABLED, since=WALL - 5)
    assert began.state is AlertState.FIRING
    assert began.at == WALL + 1
    alert = began.alert
    assert (alert.kind, alert.subject, alert.app) == ("instance-disabled", "w1", "shop")
    assert (alert.reason, alert.since) == ("w1!", WALL - 5)
    assert looking.book.firing() == (alert,)
    looking.none_for(20, DISABLED)
    ended, seconds = looking.until_told()
    assert (ended.state, ended.alert) == (AlertState.RESOLVED, alert)
    assert seconds == PATIENCE[AlertKind.INSTANCE_DISABLED].over_after_s
    assert looking.book.firing() == ()
    looking.none_for(100)


def test_what_holds_for_a_moment_is_not_told(looking: Looking) -> None:
    patience = PATIENCE[AlertKind.QUEUE_DEEP]
    for _ in range(5):
        looking.none_for(int(patience.fires_after_s), DEEP)
        looking.none_for(1)
    notice, seconds = looking.until_told(DEEP)
    assert seconds == patience.fires_after_s
    assert notice.alert.since == notice.at - patience.fires_after_s


def test_what_is_away_for_a_moment_is_not_over(looking: Looking) -> None:
    looking.see(DISABLED)
    for _ in range(5):
        looking.none_for(9)
        looking.none_for(1, DISABLED)
    assert len(looking.book.firing()) == 1


def test_trouble_that_comes_back_has_an_id_of_its_own_and_is_slower_to_be_over(
    looking: Looking,
) -> None:
    over_after_s = PATIENCE[AlertKind.INSTANCE_DISABLED].over_after_s
    ids, waits = set(), []
    for _ in range(7):
        began, _ = looking.until_told(DISABLED)
        ended, seconds = looking.until_told()
        assert ended.alert == began.alert
        ids.add(began.alert.id)
        waits.append(seconds / over_after_s)
    assert len(ids) == 7
    assert waits == [1, 2, 4, 8, FLAP_FACTOR_MAX, FLAP_FACTOR_MAX, FLAP_FACTOR_MAX]
    looking.none_for(int(FLAP_S))
    looking.until_told(DISABLED)
    assert looking.until_told()[1] == over_after_s


def test_what_cannot_be_told_changes_nothing(looking: Looking) -> None:
    looking.see(DISABLED)
    looking.ground[DISABLED] = Ground.UNKNOWN
    looking.none_for(100)
    assert len(looking.book.firing()) == 1


def test_what_others_tell_of_is_forgotten_without_a_word(looking: Looking) -> None:
    looking.see(FAILED)
    looking.ground[FAILED] = Ground.ELSEWHERE
    looking.none_for(1)
    assert looking.book.firing() == ()
    looking.ground.clear()
    looking.none_for(100)


def test_the_id_is_the_same_for_the_same_trouble_and_no_other() -> None:
    def told(key: AlertKey, since: float, cluster: str = "default", branch: str = "b1") -> Alert:
        book = AlertBook(cluster, branch)
        condition = Condition(key=key, reason="", since=since)
        (notice,) = book.see([condition], lambda _: Ground.OVER, now=0.0, wall=WALL)
        return notice.alert

    assert told(DISABLED, 1.0).id == told(DISABLED, 1.0).id
    others = [
        told(DISABLED, 1.0),
        told(DISABLED, 2.0),
        told(DISABLED, 1.0, cluster="other"),
        told(DISABLED, 1.0, branch="b2"),
        told(replace(DISABLED, subject="w2"), 1.0),
        told(replace(DISABLED, app=None), 1.0),
        told(FAILED, 1.0),
    ]
    assert len({alert.id for alert in others}) == len(others)


def test_what_every_branch_sees_alike_has_one_id_whoever_tells_of_it() -> None:
    def told(branch: str, occurrence: str, since: float, cluster: str = "default") -> str:
        book = AlertBook(cluster, branch)
        condition = Condition(key=FAILED, reason="", since=since, occurrence=occurrence)
        (notice,) = book.see([condition], lambda _: Ground.OVER, now=0.0, wall=WALL)
        return notice.alert.id

    first = told("b1", "3.0", 1.0)
    assert told("b3", "3.0", 2.0) == first
    others = [
        first,
        told("b1", "3.1", 1.0),
        told("b1", "4.0", 1.0),
        told("b1", "3.0", 1.0, "other"),
    ]
    assert len(set(others)) == len(others)


def test_the_oldest_trouble_stands_first(looking: Looking) -> None:
    looking.see(FAILED, since=WALL)
    looking.see(FAILED, DISABLED, since=WALL - 5)
    assert [alert.subject for alert in looking.book.firing()] == ["w1", "b2"]


def test_only_so_much_trouble_is_told(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "ALERTS_MAX", 2)
    keys = [replace(DISABLED, subject=f"w{n}") for n in range(3)]
    assert len(looking.see(*keys)) == 2
    looking.none_for(3, *keys)

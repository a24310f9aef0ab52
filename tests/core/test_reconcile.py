"""What holds of the decisions about an instance, whatever happens to it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.core.supervision import Decision, Signal, Start, Wish
from cyme.core.workers import Look
from tests.core.walk import ALIVE, KILLED, OK, PAUSED, REMOVED, UNWANTED, WISH, Walk, sees

looks = st.sampled_from([ALIVE, PAUSED, KILLED, None, replace(ALIVE, cpu_s=5.0)])
wishes = st.sampled_from([WISH, UNWANTED, REMOVED, replace(WISH, digest="d2")])
steps = st.lists(
    st.tuples(wishes, looks, st.booleans(), st.booleans(), st.floats(0.1, 100)), max_size=30
)


@settings(max_examples=30)
@given(steps)
def test_whatever_happens_it_never_starts_a_second_worker_nor_signals_none(
    happenings: list[tuple[Wish, Look | None, bool, bool, float]],
) -> None:
    walk = Walk()
    for wish, look, up, answers, wait_s in happenings:
        walk.wish = wish
        had_process = walk.memory.process is not None
        sight = sees(
            look if had_process else None,
            broker_up=up,
            report=OK if answers and up else None,
            asked_at=walk.now,
        )
        for action in walk.see(sight, at=walk.now + wait_s):
            if isinstance(action, Start):
                assert walk.memory.process is None
                assert wish.runs
                assert up
                walk.started()
            if isinstance(action, Signal):
                assert had_process


@settings(max_examples=30)
@given(steps)
def test_the_same_happenings_lead_to_the_same_decisions(
    happenings: list[tuple[Wish, Look | None, bool, bool, float]],
) -> None:
    def walk_through() -> list[Decision]:
        walk, decisions = Walk(), []
        for wish, look, up, _, wait_s in happenings:
            walk.wish = wish
            walk.see(sees(look, broker_up=up), at=walk.now + wait_s)
            decisions.append(walk.last)
        return decisions

    assert walk_through() == walk_through()

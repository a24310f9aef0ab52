import random

import pytest

from cyme.core.queue_history import AGE_DOUBT_S, LOOKS_MAX, QueueHistory, QueueLook


def history(*looks: tuple[float, int, int | None]) -> QueueHistory:
    """A history of looks: when, how deep, how many were taken until then."""
    it = QueueHistory()
    for at, depth, taken in looks:
        it.note(QueueLook(at=at, depth=depth, taken=taken))
    return it


def unconsumed(*looks: tuple[float, int]) -> QueueHistory:
    it = QueueHistory()
    for at, depth in looks:
        it.note(QueueLook(at=at, depth=depth, idle=True))
    return it


# --- rates ------------------------------------------------------------------------------------


def test_rates_need_two_looks() -> None:
    assert QueueHistory().rates() == (None, None)
    assert history((0, 5, 0)).rates() == (None, None)
    assert history((0, 5, 0), (0.5, 6, 0)).rates() == (None, None)


def test_what_came_is_what_was_taken_and_what_it_grew_by() -> None:
    assert history((0, 5, 100), (10, 25, 130)).rates() == (5.0, 3.0)


def test_rates_are_those_of_the_last_minute() -> None:
    it = history((0, 0, 0), (30, 900, 0), (60, 901, 0), (90, 960, 0), (100, 1001, 0))

    assert it.rates() == pytest.approx((100 / 40, 0.0))


def test_where_nobody_consumes_nothing_goes() -> None:
    assert unconsumed((0, 5), (10, 25)).rates() == (2.0, 0.0)


def test_rates_are_not_told_where_it_is_not_known_what_was_taken() -> None:
    assert history((0, 5, None), (10, 25, None)).rates() == (None, None)
    assert history((0, 5, 10), (10, 25, None), (20, 25, 20)).rates() == (None, None)


def test_what_is_not_known_of_looks_that_are_all_alike_has_no_rates_however_long_that_is() -> None:
    for end in (60, 90, 10_000):
        it = history(*((at, 0, None) for at in range(0, end, 30)))

        assert it.rates() == (None, None), end


def test_a_count_that_began_anew_says_nothing_of_the_time_before() -> None:
    assert history((0, 5, 100), (10, 5, 3)).rates() == (None, None)


def test_what_others_took_is_not_compared() -> None:
    it = QueueHistory()
    it.note(QueueLook(at=0.0, depth=5, taken=100, takers=frozenset({"w1"})))
    it.note(QueueLook(at=10.0, depth=5, taken=900, takers=frozenset({"w1", "w2"})))

    assert it.rates() == (None, None)


def test_what_may_have_been_taken_elsewhere_hides_rates_until_nothing_more_of_it_comes() -> None:
    it = QueueHistory()
    for at, taken, untold in ((0, 5, 0), (10, 15, 1), (20, 25, 1)):
        it.note(QueueLook(at=float(at), depth=5, taken=taken, untold=untold))
    assert it.rates() == (None, None)

    for at, taken in ((65, 70), (75, 80)):
        it.note(QueueLook(at=float(at), depth=5, taken=taken, untold=1))
    assert it.rates() == (1.0, 1.0)


def test_what_is_purged_goes() -> None:
    assert unconsumed((0, 600), (10, 0)).rates() == (0.0, 60.0)


def test_a_queue_in_which_nothing_happens_has_rates_however_long_that_is() -> None:
    it = unconsumed(*((at, 7) for at in range(0, 100_000, 30)))

    assert it.rates() == (0.0, 0.0)


# --- age --------------------------------------------------------------------------------------


def test_an_empty_queue_has_no_oldest_message() -> None:
    assert history((0, 5, 0), (10, 0, 5)).age_bounds(12) == (0.0, 0.0)
    assert history((0, 5, 0), (10, 0, 5)).age_s(12) == 0.0


def test_without_a_look_nothing_is_known() -> None:
    assert QueueHistory().age_bounds(5) == (0.0, None)
    assert QueueHistory().age_s(5) is None


def test_what_came_to_an_empty_queue_came_since_it_was_empty() -> None:
    it = unconsumed((0, 0), (5, 3), (10, 8), (15, 20))

    assert it.age_bounds(16) == (11.0, 16.0)
    assert it.age_s(16) == 16.0


def test_the_oldest_moves_up_as_messages_are_taken() -> None:
    it = history((0, 10, 0), (10, 10, 5), (20, 10, 10), (30, 10, 19))

    # Of the ten that waited at 10 all but none were taken since: 5 + 10 <= 19.
    assert it.age_bounds(30) == (10.0, 20.0)


def test_what_was_there_at_the_first_look_is_as_old_as_that_at_least() -> None:
    it = unconsumed((0, 500), (600, 500))

    assert it.age_bounds(601) == (601.0, None)
    assert it.age_s(601) == 601.0


def test_an_age_that_may_be_anything_is_not_told() -> None:
    it = history(*((at, 100 + at % 7, None) for at in range(1000)))

    least, most = it.age_bounds(1000)
    assert least == pytest.approx(1.0)
    assert most is not None
    assert most > AGE_DOUBT_S
    assert it.age_s(1000) is None


def test_what_the_depth_fell_by_was_taken_whoever_took_it() -> None:
    it = history((0, 100, None), (10, 0, None), (20, 4, None))

    assert it.age_bounds(20) == (0.0, 10.0)
    assert it.age_s(20) == 10.0


def test_the_truth_lies_between_the_bounds() -> None:
    """A queue is played through, and its oldest message compared with what the looks tell."""
    for seed in range(200):
        chance = random.Random(seed)
        it, waiting, taken, told = QueueHistory(), [], 0, 0
        knows, idle = chance.random() < 0.5, chance.random() < 0.2
        for second in range(chance.randrange(10, 400)):
            waiting += [float(second)] * chance.randrange(0, 5)
            gone = 0 if idle else min(len(waiting), chance.randrange(0, 6))
            taken += gone
            del waiting[:gone]
            if second % 5 == 0:
                it.note(
                    QueueLook(
                        at=second + 0.5,
                        depth=len(waiting),
                        idle=idle,
                        taken=taken if knows else None,
                    )
                )
                least, most = it.age_bounds(second + 0.5)
                age_s = second + 0.5 - waiting[0] if waiting else 0.0
                assert least <= age_s, seed
                assert most is None or age_s <= most, seed
                told += most is not None
                if knows and most is not None:
                    assert most - least <= 5.0 or second < 5, seed
        assert told or idle or len(waiting) > 0, seed


# --- bounds -----------------------------------------------------------------------------------


def test_looks_are_thinned_out_and_still_bound_the_truth() -> None:
    it = QueueHistory()
    it.note(QueueLook(at=0.0, depth=0, idle=True))
    for number in range(1, 50 * LOOKS_MAX):
        it.note(QueueLook(at=5.0 * number, depth=number, idle=True))
        assert len(it._kept) <= LOOKS_MAX
    least, most = it.age_bounds(250.0 * LOOKS_MAX)
    assert most == 250.0 * LOOKS_MAX
    assert least >= 0.8 * most
    assert it.rates()[0] == pytest.approx(0.2)


def test_what_is_not_known_stays_so_when_looks_are_thinned_out() -> None:
    it = QueueHistory()
    for number in range(30 * LOOKS_MAX):
        it.note(QueueLook(at=float(number), depth=10 + number, taken=None if number == 40 else 0))
    end = 30.0 * LOOKS_MAX

    # Nobody knows what was taken around the look at 40, so no message before that is certain.
    assert not any(each.look.at in (40, 41) for each in it._kept)
    assert end - 40 >= it.age_bounds(end)[0] >= 0.8 * end


def test_looks_that_are_alike_are_kept_once() -> None:
    it = unconsumed(*((float(at), 0) for at in range(10_000)))

    assert len(it._kept) == 2

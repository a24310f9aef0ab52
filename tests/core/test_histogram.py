from cyme.core.histogram import Histogram


def test_counts_what_is_not_above_a_bound() -> None:
    it = Histogram([0.1, 1.0])
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        it.observe(value)

    assert it.up_to() == [2, 4, 5]
    assert it.total == 8.65


def test_begins_with_nothing() -> None:
    assert Histogram([1.0]).up_to() == [0, 0]

"""Axes are round, calm, and not stretched by a few early values."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.axes import newest_range, short_number, step_range, tick_labels, ticks, value_range


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (300, "300"),
        (1200, "1.2k"),
        (12_400, "12.4k"),
        (4.9e6, "4.9M"),
        (0.002, "2e-3"),
        (9.84e-4, "9.84e-4"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text


def test_the_step_axis_grows_in_a_few_leaps() -> None:
    ends = {step_range(0, newest, 1200)[1] for newest in range(1201)}
    assert ends == {150, 300, 600, 1200}
    assert step_range(0, 1300, 1200)[1] == 1300


def test_the_axis_of_a_fork_begins_where_the_fork_does() -> None:
    assert step_range(1210, 1220, 1400, 1200) == (1200, 1225), "an eighth of its own 200 steps"
    assert step_range(1210, 1390, 1400, 1200) == (1200, 1400)
    assert step_range(1210, 1600, 1400, 1200) == (1200, 1600)
    low, high = newest_range(5e6, 6e6, 5e6)
    assert 4.9e6 <= low <= 5e6 and 6e6 <= high <= 6.1e6
    low, high = newest_range(5e6, 5e6, 5e6)
    assert low == 5e6 < high, "one point alone has room too"
    assert newest_range(10, 950) == (0, 1000), "of every other run it begins at 0"


def test_a_steep_beginning_does_not_flatten_the_rest() -> None:
    body = [9.0, 8.0] + [5.0 - 0.001 * step for step in range(100)]
    low, high = value_range(body, [])
    assert low <= 4.9 and high < 6.0


def test_what_must_be_seen_is_inside() -> None:
    low, high = value_range([5.0] * 50, [3.2, 7.7])
    assert low <= 3.2 and high >= 7.7


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_little_of_an_axis_stands_empty(low: float, width: float) -> None:
    high = low + width
    bottom, top = value_range([], [low, high])
    assert bottom >= low - 0.11 * width and top <= high + 0.11 * width


def test_the_ends_of_a_falling_loss_move_seldom() -> None:
    ranges = {value_range([8.0], [8.0 - step * 4.1 / 1000, 8.0]) for step in range(500, 1001)}
    assert len(ranges) <= 12


@example([5e-324], [0.0])
@given(st.lists(st.floats(-1e9, 1e9) | st.just(math.nan), max_size=50), st.lists(st.floats(-1e9, 1e9), max_size=3))
def test_a_range_is_never_empty(body: list[float], must_show: list[float]) -> None:
    low, high = value_range(body, must_show)
    assert low < high
    assert all(low <= value <= high for value in must_show)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_lie_on_the_axis_and_are_at_least_two(low: float, width: float, num: int) -> None:
    high = low + width
    places = ticks(low, high, num)
    assert len(places) >= 2 or high == low
    assert all(low - width * 1e-3 <= place <= high + width * 1e-3 for place in places)
    assert len({len(label) for label in tick_labels(places)}) == 1

"""A series keeps every point, and its buckets tell the truth about them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.series import Series

values = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf)), min_size=1, max_size=3000)


def series_of(points: list[float], gap: int = 10) -> Series:
    series = Series()
    for index, value in enumerate(points):
        series.append(index * gap, value)
    return series


def check_buckets(series: Series, points: list[float], low: float, high: float, num_buckets: int) -> None:
    buckets = series.reduce(low, high, num_buckets)
    inside = [v for s, v in zip(series.step, points, strict=True) if low <= s <= high]
    assert len(buckets) <= num_buckets
    assert sum(bucket.count + bucket.num_gaps for bucket in buckets) == len(inside)
    for bucket in buckets:
        taken, inside = inside[: bucket.count + bucket.num_gaps], inside[bucket.count + bucket.num_gaps :]
        finite = [value for value in taken if math.isfinite(value)]
        assert len(finite) == bucket.count
        if finite:
            assert (bucket.minimum, bucket.maximum) == (min(finite), max(finite))
            assert math.isclose(bucket.mean, math.fsum(finite) / len(finite), rel_tol=1e-9, abs_tol=1e-6)
        else:
            assert math.isnan(bucket.minimum) and math.isnan(bucket.mean)


@settings(max_examples=80, deadline=None)
@given(values, st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_every_bucket_has_the_exact_extremes_of_its_points(
    points: list[float], num_buckets: int, one: float, other: float
) -> None:
    series = series_of(points)
    low, high = sorted((one * len(points) * 10, other * len(points) * 10))
    check_buckets(series, points, low, high, num_buckets)


@settings(max_examples=40, deadline=None)
@given(values, st.integers(0, 3000), values, st.integers(1, 20))
def test_after_a_resume_the_hidden_points_leave_no_trace(
    points: list[float], cut: int, more: list[float], num_buckets: int
) -> None:
    series = series_of(points)
    series.truncate_after(cut * 10)
    kept = points[: cut + 1]
    start = len(kept)
    for index, value in enumerate(more):
        series.append((start + index) * 10, value)
    check_buckets(series, kept + more, 0, len(kept + more) * 10, num_buckets)
    assert series.num_gaps == sum(not math.isfinite(value) for value in kept + more)


def test_blocks_of_hidden_points_are_forgotten() -> None:
    points = [float(index) for index in range(5000)]
    series = series_of(points)
    series.truncate_after(20_000)
    more = [-float(index) for index in range(3000)]
    for index, value in enumerate(more):
        series.append((2001 + index) * 10, value)
    check_buckets(series, points[:2001] + more, 0, 50_000, 4)


def test_buckets_of_many_points_stay_close_to_equal_width() -> None:
    series = series_of([1.0] * 100_000)
    counts = [bucket.count for bucket in series.reduce(0, 1_000_000, 100)]
    assert len(counts) == 100
    assert max(counts) <= 1000 * 1.13 and min(counts[:-1]) >= 1000 * 0.87


def test_a_spike_among_a_hundred_thousand_points_is_kept() -> None:
    series = series_of([1.0] * 50_000 + [99.0] + [1.0] * 50_000)
    assert max(bucket.maximum for bucket in series.reduce(0, 1e7, 120)) == 99.0


def test_a_single_point_stands_at_its_own_step() -> None:
    series = series_of([7.0])
    (bucket,) = series.reduce(0, 100, 10)
    assert (bucket.step, bucket.mean) == (0, 7.0)


def test_an_earlier_step_is_refused() -> None:
    series = series_of([1.0, 2.0])
    with pytest.raises(ValueError, match="step 5 comes after step 10"):
        series.append(5, 1.0)


def test_an_empty_series_has_no_buckets_and_no_bounds() -> None:
    assert Series().reduce(0, 10, 5) == ()
    assert Series().bounds() is None and Series().last() is None

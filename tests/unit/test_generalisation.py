"""The gap between held-out and training loss follows both as they grow, and a resume that hides some of them."""

import math

import pytest

from runs.generalisation import Gap
from runs.series import Series


def grown(train: Series, validation: Series, steps: range) -> None:
    for step in steps:
        train.append(step, 5.0 - step / 100)
        if step % 50 == 0:
            validation.append(step, 5.5 - step / 100)


def test_it_is_the_evaluation_less_the_mean_since_the_one_before() -> None:
    train, validation = Series(), Series()
    validation.append(0, 9.0)
    grown(train, validation, range(1, 101))
    gap = Gap().follow(train, validation)
    assert list(gap.step) == [50, 100], "before the first step nothing was trained"
    mean = sum(5.0 - step / 100 for step in range(51, 101)) / 50
    assert gap.value[1] == pytest.approx(4.5 - mean)


def test_following_step_by_step_comes_to_the_same_as_all_at_once() -> None:
    train, validation = Series(), Series()
    slowly = Gap()
    for start in range(1, 1001, 37):
        grown(train, validation, range(start, min(start + 37, 1001)))
        series = slowly.follow(train, validation)
    at_once = Gap().follow(train, validation)
    assert list(series.step) == list(at_once.step) and len(series) == 20
    assert list(series.value) == pytest.approx(list(at_once.value))


def test_a_resume_begins_it_anew() -> None:
    train, validation, gap = Series(), Series(), Gap()
    grown(train, validation, range(1, 501))
    assert len(gap.follow(train, validation)) == 10
    for series in (train, validation):
        series.truncate_after(220)
    train.append(230, 1.0)
    validation.append(250, 3.0)
    for step in (300, 350, 400, 450, 500, 550):
        train.append(step, 1.0)
        validation.append(step, 3.0)
    after = gap.follow(train, validation)
    assert len(after) == 11 and after.value[-1] == pytest.approx(2.0)


def test_gaps_and_missing_metrics_are_no_reason_to_fail() -> None:
    train, validation = Series(), Series()
    assert len(Gap().follow(None, validation)) == 0
    train.append(1, math.nan)
    validation.append(2, 3.0)
    (value,) = Gap().follow(train, validation).value
    assert math.isnan(value)

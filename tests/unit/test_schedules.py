"""The schedules of the learning rate."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from engine.optim import learning_rate
from presets.schema import OptimConfig

TOTAL = 100
SCHEDULES = ["linear", "cosine", "constant", "wsd", "inverse_sqrt"]


def rates(schedule: str, **changes: float) -> list[float]:
    config = OptimConfig(lr=1.0, schedule=schedule, **{"warmup_ratio": 0.1, **changes})  # type: ignore[arg-type]
    return [learning_rate(config, step, TOTAL) for step in range(TOTAL)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_warms_up_in_equal_steps_to_the_full_rate(schedule: str) -> None:
    assert rates(schedule)[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_schedule_jumps_where_warm_up_ends_or_rises_after_it(schedule: str) -> None:
    values = rates(schedule)
    assert max(values) == pytest.approx(1.0)
    assert 0.95 < values[10] <= 1.0
    assert all(before >= after for before, after in pairwise(values[9:]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_warm_up_the_first_step_has_the_full_rate(schedule: str) -> None:
    assert rates(schedule, warmup_ratio=0.0)[0] == 1.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_beyond_the_end_have_a_rate_too(schedule: str) -> None:
    config = OptimConfig(lr=1.0, schedule=schedule, final_lr_ratio=0.1)  # type: ignore[arg-type]
    assert 0.0 <= learning_rate(config, TOTAL + 7, TOTAL) <= 1.0
    assert learning_rate(config, 0, 1) == 1.0


def test_linear_and_cosine_fall_to_the_final_rate() -> None:
    for schedule in ("linear", "cosine"):
        values = rates(schedule, final_lr_ratio=0.1)
        assert values[10] == pytest.approx(1.0)
        assert all(a > b for a, b in pairwise(values[10:]))
        assert 0.1 < values[-1] < 0.13
    assert rates("linear")[55] == pytest.approx(0.5)
    assert rates("cosine")[55] == pytest.approx(0.5)


def test_constant_stays_and_wsd_stays_until_its_decay() -> None:
    assert set(rates("constant")[10:]) == {1.0}
    values = rates("wsd", decay_ratio=0.2)
    assert set(values[10:81]) == {1.0}
    assert values[85] == pytest.approx(0.5)
    assert values[-1] < 0.05
    assert set(rates("wsd", decay_ratio=0.0)[10:]) == {1.0}


def test_inverse_sqrt_halves_when_the_steps_are_four_times_the_warm_up() -> None:
    values = rates("inverse_sqrt")
    assert values[39] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(math.sqrt(10 / 100))
    assert values == rates("inverse_sqrt", final_lr_ratio=0.5)  # it has no end to speak of

"""The stop ladder's rungs and times, on a clock that the test turns."""

from __future__ import annotations

import time

import pytest

from runs.ladder import Ladder


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("runs.ladder.time.monotonic", clock)
    return clock


def test_each_rung_is_due_once_and_in_order(clock: Clock) -> None:
    ladder = Ladder(grace_s=60)
    ladder.begin()
    clock.now += 1000
    assert ladder.due() == "" and not ladder.is_stopping
    ladder.ask()
    assert ladder.due() == ""
    clock.now += 59
    ladder.ask()  # asking again buys no time
    assert ladder.due() == ""
    clock.now += 1
    assert ladder.due() == "terminate"
    assert ladder.due() == ""
    clock.now += 60
    assert ladder.due() == "kill"
    clock.now += 1000
    assert ladder.due() == ""


def test_a_slow_save_buys_three_times_its_length(clock: Clock) -> None:
    ladder = Ladder(grace_s=60)
    ladder.begin()
    ladder.saved(40.0)
    ladder.ask()
    assert ladder.deadline - time.time() == pytest.approx(120, abs=1)
    clock.now += 119
    assert ladder.due() == ""
    clock.now += 1
    assert ladder.due() == "terminate"


def test_before_the_first_step_little_time_is_given_and_then_the_full(clock: Clock) -> None:
    ladder = Ladder(grace_s=60)
    ladder.ask()
    assert ladder.grace_s == 5
    clock.now += 4
    ladder.begin()  # it got there after all, and has something to save
    clock.now += 50
    assert ladder.due() == ""


def test_a_kill_skips_the_other_rungs(clock: Clock) -> None:
    ladder = Ladder(grace_s=60)
    ladder.begin()
    ladder.kill()
    assert ladder.due() == "kill"
    assert ladder.kill_asked and not ladder.was_terminated

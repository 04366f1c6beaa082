"""Trouble with a run's numbers or pace: what is said of it, how often, and what is left alone."""

from __future__ import annotations

import math
import random

import pytest

from engine.health import (
    PLATEAU_EVALUATIONS,
    STALL_SILENCE_S,
    HealthWatch,
    TrainingDiverged,
    check_start,
)
from presets.config import with_values
from presets.schema import RunConfig
from runs.events import HealthNoticed, decode_event
from tui.cli_lines import Lines
from tui.run_words import sentence_of

# losses that runs of the presets quickstart and v1-imdb-small recorded, every 10 steps
QUICKSTART = (
    7.97, 7.53, 6.86, 6.47, 6.37, 6.33, 6.32, 6.32, 6.24, 6.22, 6.12, 6.05, 5.9, 5.82, 5.77, 5.73, 5.64, 5.61,
    5.43, 5.46, 5.41, 5.43, 5.39, 5.25, 5.27, 5.3, 5.24, 5.2, 5.11, 5.12, 5.11, 4.99, 4.9, 4.93, 4.91, 4.88, 4.83,
    4.86, 4.74, 4.72, 4.63, 4.69, 4.72, 4.67, 4.68, 4.56, 4.6, 4.62, 4.47, 4.47, 4.49, 4.5, 4.45, 4.44, 4.37,
    4.36, 4.34, 4.34, 4.27, 4.3, 4.32, 4.31, 4.25, 4.33, 4.3, 4.21, 4.25, 4.25, 4.3, 4.23, 4.21, 4.2, 4.17, 4.23,
)  # fmt: skip
V1_IMDB_SMALL = (
    9.19, 9.1, 8.92, 8.61, 8.17, 7.6, 7.0, 6.5, 6.36, 6.33, 6.36, 6.31, 6.29, 6.25, 6.35, 6.33, 6.35, 6.31, 6.31,
    6.3, 6.25, 6.3, 6.37, 6.26, 6.25, 6.31, 6.33, 6.29, 6.27, 6.24, 6.25, 6.33, 6.23, 6.24, 6.27, 6.31, 6.29, 6.31,
    6.21, 6.32, 6.29, 6.29, 6.19, 6.21, 6.31, 6.3, 6.26, 6.27, 6.19, 6.21, 6.21, 6.2, 6.21, 6.21, 6.22, 6.14, 6.22,
)  # fmt: skip


def watch(least_gain: float = 0.0) -> HealthWatch:
    return HealthWatch(with_values(RunConfig(), {"train.early_stopping_min_delta": least_gain}))


def after_losses(losses: tuple[float, ...] | list[float], one: HealthWatch | None = None) -> list[HealthNoticed]:
    one = one or watch()
    return [said for step, loss in enumerate(losses, 1) for said in one.after_record(10 * step, loss, 0.2)]


@pytest.mark.parametrize("curve", [QUICKSTART, V1_IMDB_SMALL])
def test_a_recorded_curve_raises_no_alarm_and_one_with_a_spike_put_in_raises_one(curve: tuple[float, ...]) -> None:
    assert after_losses(curve) == []
    for place in (20, 40, len(curve)):
        spiked = (*curve[:place], curve[place - 1] + 1.0, *curve[place:])
        (said,) = after_losses(spiked)
        assert said.symptom == "spike"
        assert f"at step {10 * (place + 1):,}" in said.message and f"{spiked[place]:.3f}" in said.message


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_noise_around_a_descent_is_no_spike(noise: float) -> None:
    for seed in range(20):
        draw = random.Random(seed)
        curve = [2.0 + 7.0 * math.exp(-step / 60) + draw.gauss(0.0, noise) for step in range(300)]
        assert after_losses(curve) == []


def test_a_loss_near_zero_may_be_many_times_the_median() -> None:
    assert after_losses([0.001, 0.002] * 20 + [0.05]) == []


def test_a_loss_that_stays_up_is_said_once_and_a_second_spike_again() -> None:
    steady = [3.0, 3.02] * 20
    assert len(after_losses([*steady, 5.0, 5.0, 5.0, *steady, 6.0])) == 2


def test_a_loss_that_is_not_finite_is_no_spike_and_does_not_spoil_the_band() -> None:
    steady = [3.0, 3.02] * 10
    assert after_losses([*steady, math.nan, math.inf, *steady]) == []
    assert len(after_losses([*steady, math.nan, 5.0])) == 1


def test_a_plateau_is_said_once_with_where_it_began() -> None:
    one = watch()
    falling = [5.0 - step / 10 for step in range(15)]
    flat = [3.6 + 0.001 * (step % 3) for step in range(3 * PLATEAU_EVALUATIONS)]
    said = [
        notice for step, loss in enumerate((*falling, *flat), 1) for notice in one.after_evaluation(step, loss)
    ]
    assert [notice.symptom for notice in said] == ["plateau"]
    assert "3.600 at step 15" in said[0].message and f"step {15 + PLATEAU_EVALUATIONS}" in said[0].message
    assert not one.after_evaluation(100, 3.0), "it got better"
    again = [notice for step in range(101, 130) for notice in one.after_evaluation(step, 3.1)]
    assert len(again) == 1 and "3.000 at step 100" in again[0].message


def test_slow_progress_is_no_plateau_and_neither_is_warm_up() -> None:
    one = watch()
    assert not [n for step in range(200) for n in one.after_evaluation(step, 5.0 - 0.002 * step)]
    warming = HealthWatch(RunConfig(), warmup_steps=100)
    assert not [n for step in range(101) for n in warming.after_evaluation(step, 9.0)]
    assert [n for step in range(101, 120) for n in warming.after_evaluation(step, 9.0)]


def test_the_least_gain_of_early_stopping_counts_for_plateaus_too() -> None:
    losses = [5.0 - 0.05 * step for step in range(12)]
    assert not [n for step, loss in enumerate(losses) for n in watch().after_evaluation(step, loss)]
    strict = watch(least_gain=1.0)
    assert [n for step, loss in enumerate(losses) for n in strict.after_evaluation(step, loss)]


def test_a_step_that_stands_still_is_said_and_further_ones_are_counted_for_a_minute() -> None:
    now = [0.0]
    one = HealthWatch(RunConfig(), clock=lambda: now[0])
    assert not [n for step in range(119) for n in one.after_step(step, 0.4)]
    (said,) = one.after_step(120, 34.0)
    assert said.symptom == "stall" and said.message.startswith("step 120 took 34 s, the usual is 0.4 s")
    now[0] += STALL_SILENCE_S / 2
    assert not one.after_step(121, 30.0) and not one.after_step(122, 30.0)
    now[0] += STALL_SILENCE_S
    (later,) = one.after_step(123, 30.0)
    assert "2 more like it before" in later.message


def test_slow_first_steps_slow_models_and_short_hiccups_are_no_stalls() -> None:
    assert not watch().after_step(0, 40.0), "it compiles"
    slow, quick = watch(), watch()
    assert not [n for step in range(50) for n in slow.after_step(step, 6.0 + 20.0 * (step % 10 == 9))]
    assert not [n for step in range(50) for n in quick.after_step(step, 0.01 + 4.0 * (step % 10 == 9))]


def test_a_rank_that_is_slow_twice_in_a_row_is_named_once_until_it_has_caught_up() -> None:
    one = watch()
    slow, even = [0.4, 0.4, 0.9, 0.4], [0.4, 0.4, 0.4, 0.4]
    assert not one.ranks(10, slow), "once is chance"
    assert not one.ranks(20, even)
    assert not one.ranks(30, slow)
    (said,) = one.ranks(40, slow)
    assert said.symptom == "straggler" and "rank 2 is slow" in said.message and "0.9 s" in said.message
    assert not one.ranks(50, slow)
    one.ranks(60, even)
    one.ranks(70, slow)
    assert one.ranks(80, slow), "it is slow anew"


def test_of_two_ranks_the_slow_one_is_named_and_milliseconds_do_not_count() -> None:
    two = watch()
    two.ranks(10, [0.9, 0.4])
    assert "rank 0" in two.ranks(20, [0.9, 0.4])[0].message
    tiny = watch()
    assert not [n for step in range(10) for n in tiny.ranks(step, [0.001, 0.015])]


def test_untrained_weights_that_do_worse_than_guessing_stop_the_run_with_a_reason() -> None:
    guessing = math.log(1000)
    check_start(guessing + 0.4, guessing)
    said = r"is 8\.00 nats, and guessing costs 6\.91.*init_std"
    with pytest.raises(TrainingDiverged, match=said):
        check_start(8.0, guessing)
    with pytest.raises(TrainingDiverged, match="not a finite number"):
        check_start(math.nan, guessing)


def test_every_notice_is_a_warning_on_the_command_line_and_in_the_monitor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = {"kind": "health", "symptom": "stall", "message": "step 120 took 34 s", "step": 120}
    Lines(as_json=False).show(record)
    assert capsys.readouterr().out == "! step 120 took 34 s\n"
    assert sentence_of(decode_event(record)) == "warning: step 120 took 34 s"


def test_no_sentence_is_cut_by_the_monitor() -> None:
    spiked = after_losses([*QUICKSTART, 10_000.0])[0]
    assert sentence_of(spiked) == f"warning: {spiked.message}"

"""Over- or underfitting: curves of known shapes, with noise, and what is said of them."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from runs.reader import RunReader
from runs.verdict import LEAST_EVALUATIONS, Verdict, curve_noise, judge, verdict_of
from tests.run_writer import AttemptWriter

Shape = Callable[[float], float]


def level(step: float) -> float:
    return 4 + 4 * math.exp(-step / 100)


def falling(step: float) -> float:
    return 4 + 4 * math.exp(-step / 800)


def sinking(step: float) -> float:
    return level(step) - step * 0.001


def rising(step: float) -> float:
    return level(step) + max(0, step - 400) * 0.0006


def noisy(train: Shape, validation: Shape, seed: int, noise: float = 0.02, steps: int = 1000) -> Verdict:
    """The verdict on both shapes with normal noise around them."""
    random_source = random.Random(seed)
    return judge(
        [(step, train(step) + random_source.gauss(0, 0.06)) for step in range(10, steps + 1, 10)],
        [(step, validation(step) + random_source.gauss(0, noise)) for step in range(0, steps + 1, 50)],
    )


@pytest.mark.parametrize(
    ("train", "validation", "kind"),
    [
        (level, level, "level"),
        (falling, falling, "underfitting"),
        (sinking, rising, "overfitting"),
        (sinking, level, "plateau"),
        (rising, rising, "diverging"),
    ],
)
def test_each_shape_is_told_in_at_least_nine_of_ten_noisy_runs(train: Shape, validation: Shape, kind: str) -> None:
    kinds = Counter(noisy(train, validation, seed).kind for seed in range(60))
    assert kinds[kind] >= 54, kinds  # type: ignore[index]


def test_a_rise_within_the_noise_is_not_called_overfitting() -> None:
    kinds = Counter(noisy(level, level, seed, noise=0.15).kind for seed in range(60))
    assert kinds["overfitting"] <= 2


def test_few_evaluations_are_too_early_whatever_they_say() -> None:
    train = [(step, 9.0 - step / 100) for step in range(1, 100)]
    few = [(float(step), 5.0 + step) for step in range(LEAST_EVALUATIONS)]  # step 0 does not count
    verdict = judge(train, few)
    assert verdict.kind == "too early"
    assert "5 evaluations and 99 training records" in verdict.sentence


def test_evaluations_asked_for_again_at_one_step_count_once_and_the_last_of_them() -> None:
    train = [(step, level(step)) for step in range(10, 1001, 10)]
    assert judge(train, [(500.0, 5.0 - number) for number in range(8)]).num_evaluations == 1
    assert judge(train, [(500.0, 5.0)] * 8).kind == "too early"
    again = [(step, level(step)) for step in range(50, 1001, 50) for _ in range(3)]
    verdict = judge(train, [(1000.0, 99.0), *again])
    assert (verdict.kind, verdict.num_evaluations) == ("level", 20)


def test_only_what_was_seen_twice_is_memorised() -> None:
    train = [(step, sinking(step)) for step in range(10, 1001, 10)]
    validation = [(step, level(step)) for step in range(0, 1001, 50)]
    said = {epochs: judge(train, validation, epochs=epochs) for epochs in (None, 0.5, 9.0)}
    assert {verdict.kind for verdict in said.values()} == {"plateau"}
    assert [epochs for epochs, verdict in said.items() if "memorise" in verdict.sentence] == [9.0]


def test_what_is_not_finite_does_not_count() -> None:
    holes = [(float(step), math.nan) for step in range(1, 40)]
    assert judge(holes, holes).kind == "too early"


def test_a_level_run_that_is_no_better_than_word_frequency_underfits() -> None:
    train = [(step, level(step)) for step in range(10, 1001, 10)]
    validation = [(step, level(step)) for step in range(50, 1001, 50)]
    assert judge(train, validation, unigram_loss=4.01).kind == "underfitting"
    assert judge(train, validation, unigram_loss=6.4).kind == "level"


def test_the_noise_of_a_curve_is_found_under_its_slope() -> None:
    random_source = random.Random(1)
    curve = [(step, falling(step) + random_source.gauss(0, 0.05)) for step in range(0, 4000, 10)]
    assert curve_noise(curve) == pytest.approx(0.05, rel=0.2)


def test_an_overfitted_run_without_a_second_epoch_is_told_to_look_for_copies() -> None:
    train = [(step, sinking(step)) for step in range(10, 1001, 10)]
    validation = [(step, rising(step)) for step in range(0, 1001, 50)]
    assert "seen twice" in judge(train, validation, epochs=0.5).sentence
    assert "seen twice" not in judge(train, validation, epochs=9.0).sentence


def written(folder: RunFolder) -> Verdict:
    """A run that learns on and on, as a reader sees it."""
    writer = AttemptWriter(folder)
    writer.start(total_steps=400)
    for step in range(10, 401, 10):
        writer.train(step, 1.0, loss=falling(step))
        if step % 40 == 0:
            writer.evaluate(loss=falling(step))
    reader = RunReader(folder)
    run = reader.poll()
    while run.is_behind:
        run = reader.poll()
    return verdict_of(run)


def test_a_recorded_run_is_judged_by_its_own_records(runs_path) -> None:  # type: ignore[no-untyped-def]
    verdict = written(create_run(runs_path, RunConfig()))
    assert (verdict.kind, verdict.num_evaluations, verdict.num_records) == ("underfitting", 10, 40)
    assert verdict.gap is not None


def test_losses_that_are_not_the_same_quantity_give_no_gap(runs_path) -> None:  # type: ignore[no-untyped-def]
    config = with_values(RunConfig(), {"model.dropout": 0.1, "objective.mask_rate": 0.3})
    verdict = written(create_run(runs_path, config))
    assert verdict.gap is None
    assert len(verdict.notes) == 2
    assert "between the two" not in verdict.sentence


def test_each_end_of_the_mask_rate_and_the_shares_of_the_hidden_are_named(runs_path) -> None:  # type: ignore[no-untyped-def]
    values = {
        "objective.mask_rate_end": 0.3,
        "objective.mask_token_share": 1.0,
        "objective.random_token_share": 0.0,
    }
    verdict = written(create_run(runs_path, with_values(RunConfig(), values)))
    assert verdict.gap is None and len(verdict.notes) == 2
    assert "training hides 0.15 to 0.3 of the tokens, evaluation 0.15" in verdict.notes[0]
    assert "1 and 0 to [MASK] and to random ones, evaluation 0.8 and 0.1" in verdict.notes[1]

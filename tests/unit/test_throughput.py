"""The arithmetic of a step is what the model really multiplies, and the bar is a speed that was measured."""

from __future__ import annotations

import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.models.build import build_model
from engine.throughput import largest_product, measure_matmul, measure_throughput, square_product
from presets.config import with_values
from presets.flops import num_predictions, sequence_flops
from presets.schema import RunConfig

VOCAB, LENGTH, ROWS = 60, 16, 3
CPU = torch.device("cpu")


def small(**changes: object) -> RunConfig:
    sizes = {
        "model.hidden_size": 8,
        "model.num_layers": 2,
        "data.sequence_length": LENGTH,
        "train.batch_size": ROWS,
    }
    return with_values(RunConfig(), {**sizes, **{name.replace("__", "."): v for name, v in changes.items()}})


@pytest.mark.parametrize("changes", [
    {},
    {"objective__mask_rate": 0.4, "model__positions": "rotary"},
    {"model__activation": "swiglu", "model__head_transform": True},
    {"model__tied_head": False, "model__norm_place": "post"},
    {"objective__kind": "clm"},
    {"objective__kind": "sop", "model__segments": 2},
    {"objective__kind": "nsp", "model__segments": 2, "objective__mlm_weight": 0.0},
    {"objective__kind": "classification"},
])  # fmt: skip
def test_the_formula_counts_what_torch_counts(changes: dict[str, object]) -> None:
    """In bf16, where attention is written out: the fused kernel computes some products a second time."""
    config = small(**changes)
    model = build_model(config, VOCAB, labels=("a", "b", "c"))
    model.initialise(0)
    inputs = torch.randint(5, VOCAB, (ROWS, LENGTH))
    predicted = num_predictions(config, LENGTH)
    with FlopCounterMode(display=False) as counter, torch.autocast("cpu", torch.bfloat16):
        hidden = model(inputs, None)
        loss = torch.zeros(())
        if predicted:
            loss = loss + model.logits(hidden[:, :predicted]).float().sum()
        if model.labels and config.objective.kind in ("nsp", "sop", "classification"):
            loss = loss + model.classify(hidden).float().sum()
        loss.backward()
    assert counter.get_total_flops() == ROWS * sequence_flops(config, VOCAB, LENGTH, labels=3)


def test_predictions_are_those_of_the_masks() -> None:
    from engine.data.masking import num_masks

    for length in (8, 16, 100, 128):
        for rate in (0.01, 0.15, 0.3, 0.5):
            counted = num_predictions(small(objective__mask_rate=rate), length)
            assert counted == int(num_masks(torch.tensor([length]), rate))


def test_a_step_is_the_global_batch_and_the_bar_grows_with_the_processes() -> None:
    config = small()
    one = measure_throughput(config, VOCAB, CPU, "fp32", global_batch=6)
    two = measure_throughput(config, VOCAB, CPU, "fp32", global_batch=6, num_processes=2)
    assert one.flops_per_step(LENGTH) == 6 * sequence_flops(config, VOCAB, LENGTH)
    assert one.flops_per_step(8) < one.flops_per_step(LENGTH) / 2, "attention falls with the square"
    assert two.peak_flops_per_second == 2 * two.matmul.flops_per_second


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_matmul_is_measured_in_under_a_second_and_is_one_that_a_machine_can_reach(precision: str) -> None:
    shapes = (largest_product(small(), VOCAB), square_product(CPU))
    started = time.perf_counter()
    speed = measure_matmul(CPU, precision, shapes)
    assert time.perf_counter() - started < 3.0, "a crowded machine may take longer than the second it is meant to"
    assert 1e8 < speed.flops_per_second < 1e14
    assert speed.shape in shapes
    assert "GFLOP/s, at" in str(speed)


def test_the_largest_product_is_the_head_of_a_large_vocabulary_or_a_feed_forward_matrix() -> None:
    config = small()
    assert largest_product(config, 100_000) == (ROWS * num_predictions(config, LENGTH), 8, 100_000)
    assert largest_product(config, VOCAB) == (ROWS * LENGTH, 8, 32)
    rows, _, columns = largest_product(with_values(config, {"train.batch_size": 65_536}), 1_000_000)
    assert rows * columns * 4 <= 256_000_000

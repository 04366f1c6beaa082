"""The estimate of memory: what backward keeps, which logits exist at once, and runs that were measured."""

from __future__ import annotations

import pytest

from presets.catalog import find_preset
from presets.config import with_values
from presets.estimate import Machine, estimate
from presets.schema import RunConfig

MACHINE = Machine(num_cores=2, memory_bytes=16_000_000_000, num_gpus=0)


@pytest.mark.parametrize("values", [
    {},
    {"model.positions": "rotary"},
    {"model.activation": "swiglu"},
    {"model.dropout": 0.1},
    {"train.precision": "bf16"},
    {"train.activation_checkpointing": True},
])  # fmt: skip
def test_the_activations_are_about_those_that_backward_keeps(values: dict[str, object]) -> None:
    """Distinct storages that autograd holds after a forward pass of four blocks, weights left out."""
    import torch

    from engine.models.build import build_model
    from presets.memory import activation_bytes

    sizes = {"model.hidden_size": 64, "model.num_layers": 4, "data.vocab_size": 100, "data.sequence_length": 64}
    config = with_values(RunConfig(), {**sizes, **values})
    model = build_model(config, 100)
    model.initialise(0)
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    is_bf16 = config.train.precision == "bf16"
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=is_bf16, cache_enabled=False)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
        hidden = model(torch.randint(5, 100, (8, 64)), None)
    assert hidden.requires_grad
    one_block = activation_bytes(with_values(config, {"model.num_layers": 1}), on_gpu=False)
    estimated = 8 * activation_bytes(config, on_gpu=False)
    if config.train.activation_checkpointing:
        assert sum(kept.values()) < estimated < sum(kept.values()) + 8 * one_block
    else:
        assert sum(kept.values()) == pytest.approx(estimated, rel=0.3)


@pytest.mark.parametrize("values", [
    {"model.hidden_size": 16},
    {"model.hidden_size": 64},
    {"model.hidden_size": 68},
    {"model.hidden_size": 64, "objective.label_smoothing": 0.1},
])  # fmt: skip
def test_the_logits_that_are_counted_are_those_that_the_loss_holds(values: dict[str, object]) -> None:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from engine.models.build import build_model
    from engine.objectives.token_prediction import vocabulary_loss
    from presets.memory import scored_at_once

    sizes = {"model.num_heads": 2, "data.vocab_size": 500, "data.sequence_length": 64, "train.batch_size": 16}
    config = with_values(RunConfig(), {"objective.kind": "clm", "train.precision": "fp32", **sizes, **values})
    model = build_model(config, 500)
    model.initialise(0)
    predicted = 16 * 63
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            made = [one.numel() for one in ([result] if isinstance(result, torch.Tensor) else result or [])]
            largest = max([largest, *made])
            return result

    features = torch.randn(predicted, config.model.hidden_size)
    with Watch():
        vocabulary_loss(
            model, features, torch.randint(5, 500, (predicted,)), config.objective.label_smoothing
        ).backward()
    assert largest <= max(scored_at_once(config, on_gpu=False) * 500, predicted * 80)
    assert (largest >= predicted * 500) == (scored_at_once(config, on_gpu=False) == predicted)


def test_a_larger_batch_never_needs_less_memory() -> None:
    base = find_preset("quickstart-clm").config
    needed = [
        estimate(with_values(base, {"train.batch_size": batch}), MACHINE).memory_bytes.value or 0
        for batch in range(8, 129, 2)
    ]
    assert needed == sorted(needed)


@pytest.mark.parametrize(("preset", "values", "measured_mb"), [
    ("v1-imdb-small", {}, 299),
    ("quickstart", {}, 434),
    ("quickstart", {"train.batch_size": 128}, 762),
    ("quickstart-clm", {}, 580),
    ("quickstart-clm", {"train.batch_size": 8}, 361),
    ("quickstart-clm", {"train.batch_size": 64}, 781),
    ("quickstart-clm", {"model.hidden_size": 256, "model.num_layers": 4, "train.precision": "fp32"}, 742),
])  # fmt: skip
def test_the_memory_of_runs_that_were_measured_is_estimated_within_a_tenth(
    preset: str, values: dict[str, object], measured_mb: int
) -> None:
    """Peaks of real runs on the CPU whose text was tokenised before (docs/log.md)."""
    from presets.costs import RUNTIME_BYTES

    value = estimate(with_values(find_preset(preset).config, values), MACHINE).memory_bytes.value or 0
    assert measured_mb == pytest.approx((value + RUNTIME_BYTES["cpu"]) / 1e6, rel=0.1)

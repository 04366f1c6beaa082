"""The optimizer on flat parameters, and the schedules."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from engine.models.transformer import Transformer
from engine.optim import Optimizer, learning_rate
from presets.schema import ModelConfig, OptimConfig

TOTAL = 100


def model(seed: int = 1) -> Transformer:
    made = Transformer(ModelConfig(hidden_size=8, num_layers=2, num_heads=2), 50, 16)
    made.initialise(seed)
    return made


def take_steps(made: Transformer, optimizer: Optimizer, count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        inputs = torch.randint(0, 50, (4, 16), generator=torch.Generator().manual_seed(step))
        made.logits(made(inputs, None)).square().mean().backward()
        optimizer.step(1e-2)


def test_flat_adamw_is_adamw_with_decay_on_matrices_only() -> None:
    config = OptimConfig(lr=1e-2, weight_decay=0.3, clip_norm=0.5)
    ours, theirs = model(), model()
    optimizer = Optimizer(ours, config)
    names = dict(theirs.named_parameters())
    decayed = [p for n, p in names.items() if p.dim() >= 2 and "position" not in n]
    others = [p for n, p in names.items() if not (p.dim() >= 2 and "position" not in n)]
    reference = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.3}, {"params": others, "weight_decay": 0.0}],
        lr=1e-2, betas=(config.beta1, config.beta2), eps=config.eps,
    )  # fmt: skip
    for step in range(5):
        inputs = torch.randint(0, 50, (4, 16), generator=torch.Generator().manual_seed(step))
        for made in (ours, theirs):
            made.logits(made(inputs, None)).square().mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        reference.step()
        reference.zero_grad()
        assert torch.allclose(optimizer.step(1e-2).norm, norm, rtol=1e-4)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), name


def test_saved_state_continues_bit_for_bit() -> None:
    straight = model()
    take_steps(straight, Optimizer(straight, OptimConfig()), 6)
    half = model()
    optimizer = Optimizer(half, OptimConfig())
    take_steps(half, optimizer, 3)
    weights = {name: tensor.clone() for name, tensor in half.state_dict().items()}
    resumed = model(seed=2)
    again = Optimizer(resumed, OptimConfig())
    resumed.load_state_dict(weights)
    again.load_state(optimizer.state())
    take_steps(resumed, again, 3, first=3)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))


def test_state_of_another_model_is_refused() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig())
    take_steps(made, optimizer, 1)
    other = Transformer(ModelConfig(hidden_size=16, num_layers=2, num_heads=2), 50, 16)
    with pytest.raises(ValueError, match="has shape"):
        Optimizer(other, OptimConfig()).load_state(optimizer.state())


def rates(schedule: str, **changes: float) -> list[float]:
    config = OptimConfig(lr=1.0, schedule=schedule, **{"warmup_ratio": 0.1, **changes})  # type: ignore[arg-type]
    return [learning_rate(config, step, TOTAL) for step in range(TOTAL)]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "wsd"])
def test_every_schedule_warms_up_in_equal_steps_to_the_full_rate(schedule: str) -> None:
    assert rates(schedule)[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])


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


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    assert rates("linear", warmup_ratio=0.0)[0] == 1.0

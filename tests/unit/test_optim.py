"""The optimizer on flat parameters: AdamW, decay, clipping, skipped updates, loss scale, average, saved state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.models.transformer import Transformer
from engine.optim import Optimizer
from engine.optim.loss_scale import LossScale
from presets.schema import ModelConfig, OptimConfig

ALGORITHMS = ["adamw", "lion", "muon"]


def model(seed: int = 1, hidden_size: int = 8, segments: int = 0) -> Transformer:
    config = ModelConfig(hidden_size=hidden_size, num_layers=2, num_heads=2, segments=segments)
    made = Transformer(config, 50, 16)
    made.initialise(seed)
    return made


def config_of(algorithm: str = "adamw", **changes: float) -> OptimConfig:
    return OptimConfig(algorithm=algorithm, **changes)  # type: ignore[arg-type]


def loss_of(made: Transformer, step: int) -> Tensor:
    inputs = torch.randint(0, 50, (4, 16), generator=torch.Generator().manual_seed(step))
    return made.logits(made(inputs, None)).square().mean()


def take_steps(made: Transformer, optimizer: Optimizer, count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        optimizer.scale(loss_of(made, step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step(1e-2)


def weights_of(made: Transformer) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in made.state_dict().items()}


def are_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit, a zero's sign too."""
    assert one.keys() == other.keys()
    return all(tensor.numpy().tobytes() == other[name].numpy().tobytes() for name, tensor in one.items())


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
        for made in (ours, theirs):
            loss_of(made, step).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        reference.step()
        reference.zero_grad()
        assert torch.allclose(optimizer.step(1e-2).norm, norm, rtol=1e-4)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_without_a_gradient_only_matrices_decay(algorithm: str) -> None:
    made = model(segments=2)
    before = weights_of(made)
    Optimizer(made, config_of(algorithm, weight_decay=0.5)).step(0.1)
    kept = {name for name, tensor in made.state_dict().items() if torch.equal(tensor, before[name])}
    norms_and_biases = {name for name, tensor in before.items() if tensor.dim() == 1}
    assert kept == norms_and_biases | {"position_embedding", "segment_embedding.weight"}
    for name in before.keys() - kept:
        assert torch.allclose(made.state_dict()[name], before[name] * (1 - 0.1 * 0.5)), name


def test_parameters_are_views_of_two_flat_vectors_and_begin_where_kernels_like_it() -> None:
    made = model()
    flat = Optimizer(made, OptimConfig()).flat
    for parameter in made.parameters():
        assert parameter.grad is not None
        for view, vector in ((parameter, flat.weight), (parameter.grad, flat.gradient)):
            assert view.untyped_storage().data_ptr() == vector.untyped_storage().data_ptr()
            assert view.storage_offset() % 4 == 0
    assert len(flat.gradient) == len(flat.weight) + 1


def test_a_parameter_that_is_not_trained_is_left_alone() -> None:
    made = model()
    made.token_embedding.weight.requires_grad_(False)
    before = weights_of(made)
    optimizer = Optimizer(made, OptimConfig())
    take_steps(made, optimizer, 2)
    assert torch.equal(made.token_embedding.weight, before["token_embedding.weight"])
    assert not any(name.endswith("token_embedding.weight") for name in optimizer.state())
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that is trained"):
        Optimizer(made, OptimConfig())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("fault", [float("nan"), float("inf")])
@pytest.mark.parametrize(("precision", "clip_norm"), [("fp32", 0.0), ("fp32", 1.0), ("fp16", 1.0)])
def test_a_gradient_that_is_not_finite_changes_nothing(
    algorithm: str, fault: float, precision: str, clip_norm: float
) -> None:
    made = model()
    optimizer = Optimizer(made, config_of(algorithm, ema_decay=0.9, clip_norm=clip_norm), precision)  # type: ignore[arg-type]
    take_steps(made, optimizer, 3)
    with torch.no_grad():
        made.head_bias[:2] = torch.tensor([-0.0, 0.0])
    ignored = ("skipped_in_a_row", "loss_scale", "loss_scale_streak")
    before = {name: tensor for name, tensor in optimizer.state().items() if name not in ignored}
    weights = weights_of(made)
    with optimizer.judged():
        average = weights_of(made)
    for expected in (1.0, 2.0):
        optimizer.scale(loss_of(made, 7)).backward()  # type: ignore[no-untyped-call]
        optimizer.flat.gradient[5] = fault
        figures = optimizer.step(1e-2, measure=True)
        assert figures.skipped.item() == 1.0
        assert not figures.norm.isfinite()
        assert figures.update_ratio is not None and figures.update_ratio.item() == 0.0
        assert optimizer.skipped_in_a_row().item() == expected
        assert not optimizer.flat.gradient.any()
    after = {name: tensor for name, tensor in optimizer.state().items() if name not in ignored}
    assert are_equal(before, after)
    assert are_equal(weights, weights_of(made))
    with optimizer.judged():
        assert are_equal(average, weights_of(made))
    take_steps(made, optimizer, 1)
    assert optimizer.skipped_in_a_row().item() == 0.0
    assert not are_equal(weights, weights_of(made))


def test_the_update_ratio_is_that_of_all_weights_together() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig())
    before = torch.cat([p.detach().flatten() for p in made.parameters()])
    loss_of(made, 0).backward()  # type: ignore[no-untyped-call]
    ratio = optimizer.step(1e-2, measure=True).update_ratio
    after = torch.cat([p.detach().flatten() for p in made.parameters()])
    assert ratio is not None
    assert ratio.item() == pytest.approx(((after - before).norm() / before.norm()).item(), rel=1e-5)
    assert optimizer.step(1e-2).update_ratio is None


def test_the_loss_scale_changes_neither_the_norm_nor_the_update() -> None:
    plain, scaled = model(), model()
    for made, precision in ((plain, "fp32"), (scaled, "fp16")):
        optimizer = Optimizer(made, OptimConfig(clip_norm=0.01), precision)  # type: ignore[arg-type]
        loss = loss_of(made, 0)
        assert optimizer.scale(loss).item() == loss.item() * (65_536 if made is scaled else 1)
        optimizer.scale(loss).backward()  # type: ignore[no-untyped-call]
        norm = optimizer.step(1e-2).norm.item()
        assert norm > 0.01
        if made is plain:
            expected = norm
    assert norm == pytest.approx(expected, rel=1e-6)
    for a, b in zip(plain.parameters(), scaled.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


def test_the_loss_scale_halves_at_an_overflow_and_doubles_after_two_thousand_good_steps() -> None:
    scale = LossScale(torch.device("cpu"))
    good, overflow = torch.zeros(()), torch.ones(())
    scale.update(overflow)
    assert scale.value.item() == 32_768.0
    for _ in range(1999):
        scale.update(good)
    assert scale.value.item() == 32_768.0
    scale.update(good)
    assert scale.value.item() == 65_536.0


def test_an_overflow_in_fp16_halves_the_scale_and_the_halved_scale_is_saved() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig(), "fp16")
    optimizer.flat.gradient[0] = float("inf")
    optimizer.step(1e-2)
    again = Optimizer(model(), OptimConfig(), "fp16")
    again.load_state(optimizer.state())
    assert again.scale(torch.ones(())).item() == 32_768.0
    assert again.skipped_in_a_row().item() == 1.0


def test_the_average_follows_the_weights_and_judges_in_their_place() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig(ema_decay=0.6))
    name = "blocks.0.up.weight"
    expected = weights_of(made)[name]
    for step in range(15):
        take_steps(made, optimizer, 1, first=step)
        decay = min(0.6, (step + 2) / (step + 11))  # after t updates at most (1 + t) / (10 + t)
        expected = decay * expected + (1 - decay) * weights_of(made)[name]
        with optimizer.judged():
            assert torch.allclose(made.state_dict()[name], expected, atol=1e-6)
    raw, state = weights_of(made), optimizer.state()
    with optimizer.judged():
        assert torch.allclose(made.state_dict()[name], expected, atol=1e-6)
        assert not torch.equal(made.state_dict()[name], raw[name])
        with optimizer.judged():
            assert torch.allclose(made.state_dict()[name], expected, atol=1e-6)
        assert are_equal(optimizer.state(), state)  # the weights in training, inside and outside
    assert are_equal(raw, weights_of(made))
    assert torch.equal(state[f"raw.{name}"], raw[name])


def test_weights_come_back_after_an_evaluation_that_failed() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig(ema_decay=0.9))
    take_steps(made, optimizer, 2)
    raw = weights_of(made)
    with pytest.raises(RuntimeError, match="evaluation"), optimizer.judged():
        raise RuntimeError("evaluation")
    assert are_equal(raw, weights_of(made))


def test_the_average_begins_with_weights_that_came_after_the_optimizer_was_made() -> None:
    made, other = model(), model(seed=2)
    optimizer = Optimizer(made, OptimConfig(ema_decay=0.9))
    made.load_state_dict(other.state_dict())
    with optimizer.judged():
        assert are_equal(weights_of(made), weights_of(other))


def test_without_an_average_the_model_itself_is_judged() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig())
    take_steps(made, optimizer, 2)
    raw = weights_of(made)
    with optimizer.judged():
        assert are_equal(raw, weights_of(made))
    assert not any(name.startswith("raw.") for name in optimizer.state())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_saved_state_continues_bit_for_bit(algorithm: str, ema_decay: float, precision: str) -> None:
    config = config_of(algorithm, ema_decay=ema_decay)

    def optimizer_of(made: Transformer) -> Optimizer:
        return Optimizer(made, config, precision)  # type: ignore[arg-type]

    straight, half, resumed = model(), model(), model(seed=2)
    uninterrupted = optimizer_of(straight)
    take_steps(straight, uninterrupted, 6)
    stopped = optimizer_of(half)
    take_steps(half, stopped, 3)
    with stopped.judged():
        judged = weights_of(half)
    again = optimizer_of(resumed)
    with again.judged():
        pass  # an average that has begun with other weights is no hindrance
    resumed.load_state_dict(judged)
    again.load_state(stopped.state())
    assert are_equal(again.state(), stopped.state())
    take_steps(resumed, again, 3, first=3)
    assert are_equal(weights_of(straight), weights_of(resumed))
    assert are_equal(uninterrupted.state(), again.state())
    with uninterrupted.judged(), again.judged():
        assert are_equal(weights_of(straight), weights_of(resumed))


def test_a_checkpoint_from_before_skipped_updates_were_counted_still_loads() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig())
    take_steps(made, optimizer, 2)
    state = optimizer.state()
    old = {name: tensor for name, tensor in state.items() if name != "skipped_in_a_row"}
    names = [name for name, _ in made.named_parameters()]
    assert set(old) == {"step"} | {f"{m}.{name}" for m in ("exp_avg", "exp_avg_sq") for name in names}
    assert old["step"].tolist() == [2.0]
    again = Optimizer(model(seed=2), OptimConfig())
    again.load_state(old)
    assert are_equal(again.state(), state)


def test_an_empty_state_changes_nothing() -> None:
    made = model()
    optimizer = Optimizer(made, OptimConfig())
    take_steps(made, optimizer, 1)
    before = optimizer.state()
    optimizer.load_state({})
    assert are_equal(optimizer.state(), before)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    saved = {}
    for algorithm in ALGORITHMS:
        made = model()
        optimizer = Optimizer(made, config_of(algorithm))
        take_steps(made, optimizer, 1)
        saved[algorithm] = optimizer.state()
    optimizer = Optimizer(model(), OptimConfig())
    before = optimizer.state()
    without_moment = {n: t for n, t in saved["adamw"].items() if n != "exp_avg_sq.final_norm.weight"}
    averaged = Optimizer(model(), OptimConfig(ema_decay=0.9)).state()
    of_bytes = saved["adamw"] | {"exp_avg.head_bias": torch.zeros(50, dtype=torch.uint8)}
    for state, words in (
        (saved["lion"], "has no exp_avg_sq"),
        (saved["muon"], "has momentum.blocks.0.attention.out.weight, which adamw without"),
        (without_moment, "has no exp_avg_sq.final_norm.weight, which adamw without an average of weights needs"),
        (averaged, "has raw.blocks.0.attention.out.bias, which adamw without an average"),
        (of_bytes, "exp_avg.head_bias has shape .* and type torch.uint8"),
    ):
        with pytest.raises(ValueError, match=words):
            optimizer.load_state(state)
        assert are_equal(optimizer.state(), before)
    with pytest.raises(ValueError, match="has shape"):
        Optimizer(model(hidden_size=16), OptimConfig()).load_state(saved["adamw"])
    with pytest.raises(ValueError, match="has no raw"):
        Optimizer(model(), OptimConfig(ema_decay=0.9)).load_state(saved["adamw"])


@pytest.mark.parametrize(("algorithm", "most"), [("adamw", 2.0), ("lion", 1.0), ("muon", 2.0)])
def test_memory_is_the_weights_the_gradients_and_the_moments(algorithm: str, most: float) -> None:
    made = model(hidden_size=64)
    optimizer = Optimizer(made, config_of(algorithm))
    num_bytes = 4 * sum(p.numel() for p in made.parameters())
    state = sum(tensor.nbytes for name, tensor in optimizer.state().items() if "." in name)
    assert state <= most * num_bytes
    assert optimizer.flat.weight.nbytes + optimizer.flat.gradient.nbytes < 2.01 * num_bytes

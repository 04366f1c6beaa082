"""Lion, Muon and 8-bit AdamW, each against what it is said to be; and that no update waits for a device."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.models.transformer import Transformer
from engine.optim import FlatParameters, Optimizer
from engine.optim.adamw8bit import BLOCK, AdamW8bit
from engine.optim.algorithm import UpdateInputs, pieces, select, write_unless
from engine.optim.ema import WeightAverage
from engine.optim.lion import Lion
from engine.optim.muon import orthogonal
from presets.config import with_values
from presets.rules import broken_rules
from presets.schema import ModelConfig, OptimConfig, RunConfig

NUM_STEPS = 6


def model(hidden_size: int = 8, seed: int = 1, **changes: Any) -> Transformer:
    config = ModelConfig(hidden_size=hidden_size, num_layers=2, num_heads=2, **changes)
    made = Transformer(config, 50, 16)
    made.initialise(seed)
    return made


def backward(made: Transformer, step: int) -> None:
    inputs = torch.randint(0, 50, (4, 16), generator=torch.Generator().manual_seed(step))
    loss = torch.nn.functional.cross_entropy(made.logits(made(inputs, None)).flatten(0, 1), inputs.flatten())
    loss.backward()  # type: ignore[no-untyped-call]


def give_gradients(giver: Transformer, taker: Transformer) -> None:
    """Both go by the same gradient: a sign, or a direction made as long as the others, may hang on rounding."""
    for a, b in zip(giver.parameters(), taker.parameters(), strict=True):
        assert a.grad is not None
        b.grad = a.grad.clone()


def is_decayed(name: str, parameter: Tensor) -> bool:
    return parameter.dim() == 2 and "position" not in name


def is_of_a_block(name: str, parameter: Tensor) -> bool:
    return parameter.dim() == 2 and name.startswith("blocks.")


def test_lion_is_the_papers_program() -> None:
    config = OptimConfig(algorithm="lion", weight_decay=0.3, clip_norm=0.1, beta1=0.95, beta2=0.98)
    ours, theirs = model(), model()
    optimizer = Optimizer(ours, config)
    means = {name: torch.zeros_like(p) for name, p in theirs.named_parameters()}
    for step in range(NUM_STEPS):
        backward(ours, step)
        give_gradients(ours, theirs)
        optimizer.step(1e-3)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.1)
        with torch.no_grad():
            for name, p in theirs.named_parameters():
                assert p.grad is not None
                update = torch.sign(0.95 * means[name] + 0.05 * p.grad)
                p.sub_(1e-3 * (update + (0.3 if is_decayed(name, p) else 0.0) * p))
                means[name] = 0.98 * means[name] + 0.02 * p.grad
                p.grad = None
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6), name
        assert torch.allclose(optimizer.state()[f"exp_avg.{name}"], means[name], atol=1e-7), name


def written_out_rounds(matrix: Tensor) -> Tensor:
    """Newton and Schulz's rounds for one matrix in fp32 (Jordan 2024)."""
    wide: Tensor = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide


def singly(made: Transformer) -> Iterable[tuple[str, Tensor, Tensor]]:
    """Name, weight and gradient of each matrix of the blocks, with query, key and value apart."""
    for name, p in made.named_parameters():
        if is_of_a_block(name, p):
            assert p.grad is not None
            count = 3 if "qkv" in name else 1
            yield from ((name, *views) for views in zip(p.detach().chunk(count), p.grad.chunk(count), strict=True))


@pytest.mark.parametrize("changes", [{}, {"hidden_size": 6}, {"activation": "geglu", "intermediate_size": 9}])
def test_muon_is_the_written_out_algorithm_on_the_blocks_and_adamw_elsewhere(changes: dict[str, Any]) -> None:
    config = OptimConfig(algorithm="muon", weight_decay=0.3, clip_norm=0.0)
    ours, theirs = model(**changes), model(**changes)
    optimizer = Optimizer(ours, config)
    rest = [(n, p) for n, p in theirs.named_parameters() if not is_of_a_block(n, p)]
    adamw = torch.optim.AdamW(
        [
            {"params": [p for n, p in rest if is_decayed(n, p)], "weight_decay": 0.3},
            {"params": [p for n, p in rest if not is_decayed(n, p)], "weight_decay": 0.0},
        ],
        lr=1e-2, betas=(config.beta1, config.beta2), eps=config.eps,
    )  # fmt: skip
    momenta: dict[int, Tensor] = {}
    for step in range(NUM_STEPS):
        backward(ours, step)
        give_gradients(ours, theirs)
        optimizer.step(1e-2)
        for index, (_, weight, gradient) in enumerate(singly(theirs)):
            momentum = momenta[index] = 0.95 * momenta.get(index, 0.0) + 0.05 * gradient
            update = written_out_rounds(0.05 * gradient + 0.95 * momentum)
            weight -= 1e-2 * (0.3 * weight + 0.2 * math.sqrt(max(weight.shape)) * update)
        adamw.step()
        theirs.zero_grad()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-5), name


def test_muon_agrees_with_torchs_own_within_the_rounding_of_its_bf16() -> None:
    config = OptimConfig(algorithm="muon", weight_decay=0.1, clip_norm=0.0)
    made = model(hidden_size=32)
    optimizer = Optimizer(made, config)
    matrices = [torch.nn.Parameter(weight.clone()) for _, weight, _ in singly(made)]
    reference = torch.optim.Muon(
        matrices, lr=1e-2, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    before = [matrix.detach().clone() for matrix in matrices]
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        for matrix, (_, _, gradient) in zip(matrices, singly(made), strict=True):
            gradient.normal_(generator=generator)  # a model's, nearly of low rank, hang on how bf16 rounds
            matrix.grad = gradient.clone()
        optimizer.step(1e-2)
        reference.step()  # type: ignore[no-untyped-call]
    for first, matrix, (name, weight, _) in zip(before, matrices, singly(made), strict=True):
        change, expected = weight - first, matrix.detach() - first
        assert (change - expected).norm() < 0.03 * expected.norm(), name


def test_an_orthogonal_update_has_near_to_equal_singular_values_and_the_size_of_adamws() -> None:
    drawn = torch.randn(3, 48, 16, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float32, torch.bfloat16):
        for matrices in (drawn, drawn.mT.contiguous()):
            made = orthogonal(matrices, dtype).float()
            values = torch.linalg.svdvals(made)
            assert values.min() > 0.5 and values.max() < 1.3
            update = made * 0.2 * math.sqrt(48)
            assert 0.1 < update.square().mean().sqrt().item() < 0.25  # AdamW's is 0.2 to 0.4


def test_a_matrix_without_a_gradient_has_no_update() -> None:
    assert not orthogonal(torch.zeros(2, 4, 4), torch.float32).any()


@pytest.mark.parametrize(("algorithm", "lr"), [("adamw", 1e-2), ("lion", 3e-3), ("muon", 1e-2)])
def test_every_algorithm_learns(algorithm: str, lr: float) -> None:
    made = model(hidden_size=16)
    optimizer = Optimizer(made, OptimConfig(algorithm=algorithm))  # type: ignore[arg-type]
    inputs = torch.randint(0, 50, (8, 16), generator=torch.Generator().manual_seed(0))
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(made.logits(made(inputs, None)).flatten(0, 1), inputs.flatten())
        losses.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(lr)
    assert losses[0] > 3.0
    assert losses[-1] < 1.0


def test_long_vectors_are_worked_through_in_pieces_that_cover_them_once() -> None:
    part = slice(5, 200_005)
    places = list(pieces(torch.empty(0), part))
    assert len(places) > 1
    assert [i for piece in places for i in (piece.start, piece.stop)][1:-1:2] == [p.start for p in places[1:]]
    assert (places[0].start, places[-1].stop) == (5, 200_005)
    net = torch.nn.Sequential(torch.nn.Linear(600, 400))
    flat = FlatParameters(net)
    weight = flat.weight.clone()
    flat.gradient.fill_(1.0)
    lion = Lion(flat, OptimConfig(algorithm="lion", weight_decay=0.0), flat.embeddings, flat.plain)
    lion.update(UpdateInputs(torch.tensor(0.5), None, torch.zeros(()), torch.ones(())))
    assert torch.equal(flat.weight, weight - 0.5)
    average = WeightAverage(weight, 0.9)
    weight += 1.0
    average.update(UpdateInputs(torch.tensor(0.5), None, torch.zeros(()), torch.full((), 1e6)))
    assert torch.allclose(average.vector, weight - 0.9)


@pytest.mark.parametrize("write", [write_unless, select])
def test_a_skipped_write_leaves_every_bit(write: Callable[[Tensor, Tensor, Tensor], None]) -> None:
    new, old = torch.tensor([float("nan"), float("inf"), 1.0]), torch.tensor([-0.0, 0.0, 2.0])
    before = old.numpy().tobytes()
    write(torch.ones(()), new, old)
    assert old.numpy().tobytes() == before
    write(torch.zeros(()), new, old)
    assert old.numpy().tobytes() == new.numpy().tobytes()


def eight_bit(made: Transformer, config: OptimConfig) -> tuple[FlatParameters, AdamW8bit]:
    """On the CPU, where bitsandbytes has the quantiser too; runs use it on GPUs only."""
    flat = FlatParameters(made, alignment=BLOCK)
    return flat, AdamW8bit(flat, config, flat.matrices)


def inputs_of(count: int, skipped: float = 0.0) -> UpdateInputs:
    return UpdateInputs(torch.tensor(1e-2), None, torch.tensor(skipped), torch.tensor(float(count)))


def test_adamw_with_8_bit_moments_stays_near_to_adamw() -> None:
    config = OptimConfig(weight_decay=0.1, clip_norm=0.0)
    packed, exact = model(hidden_size=64), model(hidden_size=64)
    flat, algorithm = eight_bit(packed, config)
    optimizer = Optimizer(exact, config)
    before = {n: p.detach().clone() for n, p in exact.named_parameters()}
    for step in range(NUM_STEPS):
        backward(exact, step)
        for (_, p), (_, q) in zip(packed.named_parameters(), exact.named_parameters(), strict=True):
            assert p.grad is not None and q.grad is not None
            p.grad.copy_(q.grad)
        optimizer.step(1e-2)
        algorithm.update(inputs_of(step + 1))
    after = dict(exact.named_parameters())
    for name, p in packed.named_parameters():
        if is_of_a_block(name, p):
            change, expected = p - before[name], after[name] - before[name]
            assert torch.nn.functional.cosine_similarity(change.flatten(), expected.flatten(), dim=0) > 0.98, name
        else:
            assert torch.equal(p, before[name]), name
    moments = sum(tensor.nbytes for tensor in algorithm.tensors().values())
    size = flat.matrices.stop - flat.matrices.start
    assert moments < 2.1 * size  # bytes a weight, not 8


def test_8_bit_moments_are_saved_by_name_and_kept_when_an_update_is_skipped() -> None:
    config = OptimConfig(clip_norm=0.0)
    made = model(hidden_size=12)
    flat, algorithm = eight_bit(made, config)
    backward(made, 0)
    algorithm.update(inputs_of(1))
    state = {name: tensor.clone() for name, tensor in algorithm.tensors().items()}
    weights = flat.weight.clone()
    assert state["exp_avg_codes.blocks.0.up.weight"].shape == (48, 12)
    assert state["exp_avg_sq_scales.blocks.0.up.weight"].shape == (math.ceil(48 * 12 / BLOCK),)
    assert state["exp_avg_scales.blocks.1.down.weight"].all()

    flat.gradient.fill_(float("nan"))
    algorithm.update(inputs_of(1, skipped=1.0))
    assert all(torch.equal(tensor, state[name]) for name, tensor in algorithm.tensors().items())
    assert torch.equal(flat.weight, weights)

    twin = model(hidden_size=12)
    twin_flat, restored = eight_bit(twin, config)
    for name, tensor in restored.tensors().items():
        tensor.copy_(state[name])
    twin_flat.weight.copy_(weights)
    for owner, vector, chosen in ((made, flat, algorithm), (twin, twin_flat, restored)):
        vector.gradient.zero_()
        backward(owner, 1)
        chosen.update(inputs_of(2))
    assert torch.equal(flat.weight, twin_flat.weight)


def test_8_bit_moments_are_refused_on_the_cpu_by_the_rules_and_by_the_optimizer() -> None:
    values = {"optim.algorithm": "adamw8bit", "launch.device": "cpu"}
    (problem,) = broken_rules(with_values(RunConfig(), values))
    assert problem.paths == ("optim.algorithm", "launch.device")
    assert "choose adamw" in problem.message
    assert broken_rules(with_values(RunConfig(), values | {"launch.device": "auto"})) == ()
    with pytest.raises(ValueError, match="adamw8bit needs a CUDA device, and the model is on cpu; choose adamw"):
        Optimizer(model(), OptimConfig(algorithm="adamw8bit"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("algorithm", ["adamw", "lion", "muon", "adamw8bit"])
def test_no_update_asks_the_device_for_a_number(
    algorithm: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # tensors without data stand in for a GPU's: to read one is an error, and other devices do not mix with them
    calls = []

    def fused_kernel(*lists: list[Tensor], **keywords: Any) -> None:  # it has no form without data
        given = [t for tensors in lists for t in tensors]
        given += [keywords[name] for name in ("lr", "grad_scale", "found_inf")]
        assert {t.device.type for t in given} == {"meta"}
        calls.append(len(given))

    monkeypatch.setattr(torch, "_fused_adamw_", fused_kernel)
    made = model().to("meta")
    config = OptimConfig(algorithm="adamw" if algorithm == "adamw8bit" else algorithm, ema_decay=0.9)  # type: ignore[arg-type]
    optimizer = Optimizer(made, config, precision)  # type: ignore[arg-type]
    if algorithm == "adamw8bit":
        optimizer._algorithms = (AdamW8bit(optimizer.flat, config, slice(0, 4 * BLOCK)),)
    figures = optimizer.step(1e-3, measure=True)
    with optimizer.judged():
        pass
    shown = (figures.norm, figures.skipped, figures.update_ratio, optimizer.skipped_in_a_row())
    assert all(tensor is not None and tensor.device.type == "meta" and tensor.shape == () for tensor in shown)
    assert bool(calls) == (algorithm != "lion")
    with pytest.raises(RuntimeError, match="meta"):
        figures.norm.item()

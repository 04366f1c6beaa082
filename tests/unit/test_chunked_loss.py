"""The chunked cross-entropy against the plain one: loss, gradients, targets that are not asked, huge logits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.masking import IGNORED
from engine.objectives.chunked_loss import chunked_cross_entropy


def plain(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(features, weight, bias), targets, reduction="sum", ignore_index=IGNORED)


@pytest.mark.parametrize("hidden", [1, 4, 8, 15, 16, 32])
@pytest.mark.parametrize(("num_targets", "scale"), [(1, 0.1), (32, 0.1), (77, 1.0), (77, 10.0)])
def test_loss_and_gradients_are_those_of_the_plain_computation(
    hidden: int, num_targets: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(hidden)
    shapes = ((num_targets, hidden), (203, hidden), (203,))
    parts = [(torch.randn(shape, generator=generator) * scale).double().requires_grad_() for shape in shapes]
    targets = torch.randint(203, (num_targets,), generator=generator)
    if num_targets > 1:
        targets[::3] = IGNORED
    expected = plain(*parts, targets)
    wanted = torch.autograd.grad(3.0 * expected, parts)
    ours = [part.detach().float().requires_grad_() for part in parts]
    loss = chunked_cross_entropy(*ours, targets)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=2e-5, abs=1e-4)
    for got, exact in zip(torch.autograd.grad(3.0 * loss, ours), wanted, strict=True):
        assert torch.isfinite(got).all()
        assert torch.allclose(got.double(), exact, rtol=2e-4, atol=2e-5 * float(exact.abs().max()) + 1e-12)

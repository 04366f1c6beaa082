"""Output matrix and cross-entropy in one, for small hidden sizes on the CPU, where passes over memory limit.

Torch's `linear_cross_entropy` never holds all logits either. This is faster (docs/log.md): the bias is a column of
the matrix, columns are filled up to a width that matrix kernels like, the exponential is taken in place, and the
division by its sum happens on the small side of the products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.data.masking import IGNORED

LARGEST_HIDDEN = 32  # beyond it the products are most of the work, and torch's own is as fast
_CHUNK = 32  # targets whose logits exist at once; they stay in the cache
_WIDTH = 16
_SAFE_LOGIT = 60.0  # exp of it, summed over a million words, is far from the largest float32


class ChunkedCrossEntropy(torch.autograd.Function):
    """() sum of −log softmax(features · weightᵀ + bias)[target] in nats; gradients are made on the way forward."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """features: (N, H) float32. weight: (V, H). bias: (V,). targets: (N,) ids, IGNORED where none is asked."""
        hidden = features.shape[1]
        columns = _WIDTH * (hidden // _WIDTH + 1)  # at least one more, for the bias
        inputs, matrix = features.new_zeros(len(features), columns), weight.new_zeros(len(weight), columns)
        inputs[:, :hidden], inputs[:, hidden] = features, 1.0
        matrix[:, :hidden], matrix[:, hidden] = weight, bias
        is_asked = (targets != IGNORED).to(features.dtype)[:, None]
        answers = targets.clamp(min=0)[:, None]
        may_overflow = bool(features.norm(dim=1).max() * weight.norm(dim=1).max() + bias.abs().max() > _SAFE_LOGIT)
        losses = torch.empty_like(is_asked)
        input_gradient, matrix_gradient = torch.empty_like(inputs), torch.zeros_like(matrix)
        buffer, across = features.new_empty(_CHUNK, len(weight)), matrix.t().contiguous()
        for first in range(0, len(features), _CHUNK):
            rows = slice(first, first + _CHUNK)
            chunk = inputs[rows]
            logits = torch.mm(chunk, across, out=buffer[: len(chunk)])
            if may_overflow:
                logits -= logits.amax(dim=1, keepdim=True)
            answered = logits.gather(1, answers[rows])
            sums = logits.exp_().sum(dim=1, keepdim=True)
            losses[rows] = sums.log() - answered
            share = is_asked[rows] / sums  # of a row's softmax: dividing here spares a pass over all logits
            torch.mm(logits, matrix, out=input_gradient[rows]).mul_(share)
            matrix_gradient.addmm_(logits.t(), chunk * share)
        inputs *= is_asked
        matrix_gradient.index_add_(0, answers[:, 0], inputs, alpha=-1.0)
        input_gradient -= matrix[answers[:, 0]] * is_asked
        ctx.save_for_backward(input_gradient, matrix_gradient)
        ctx.hidden = hidden
        return (losses * is_asked).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """gradient: () of the sum."""
        inputs, matrix = (part * gradient for part in ctx.saved_tensors)
        hidden = ctx.hidden
        return inputs[:, :hidden], matrix[:, :hidden], matrix[:, hidden], None


def chunked_cross_entropy(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """See `ChunkedCrossEntropy`; the gradients are always made, so call it where they are wanted."""
    loss: Tensor = ChunkedCrossEntropy.apply(features, weight, bias, targets)  # type: ignore[no-untyped-call]
    return loss

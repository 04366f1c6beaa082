"""The kernels that a step of our transformer cannot avoid, each by itself on tensors of the step's shapes.

Forward and backward by torch's own operators, without autograd. Data, masks, recording and the choice of
masked rows' positions are not among them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.objectives.chunked_loss import chunked_cross_entropy
from tests.benchmarks.engine_runs import Size, threads

aten = torch.ops.aten
_SAMPLES = 15
_SAMPLE_S = 0.02


def measure(size: list[Any], precision: str) -> dict[str, float]:
    """Milliseconds a step of each kind of kernel, by name."""
    torch.set_num_threads(threads())
    wanted = Size(*size)
    sums: dict[str, float] = {}
    for name, count, kernel in _kernels(wanted, torch.bfloat16 if precision == "bf16" else torch.float32):
        sums[name] = sums.get(name, 0.0) + count * _milliseconds(kernel)
    return sums


def _milliseconds(kernel: Callable[[], Any]) -> float:
    """Median of samples, each of as many calls as fill some time."""
    for _ in range(3):
        kernel()
    started = time.perf_counter()
    kernel()
    calls = max(1, round(_SAMPLE_S / (time.perf_counter() - started)))
    samples = []
    for _ in range(_SAMPLES):
        started = time.perf_counter()
        for _ in range(calls):
            kernel()
        samples.append((time.perf_counter() - started) / calls)
    return 1e3 * statistics.median(samples)


def _kernels(size: Size, dtype: torch.dtype) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """(name, how often a step runs it, the call). fp32 weights; products and attention in `dtype`."""
    hidden, layers, rows = size.hidden, size.layers, size.batch * size.length
    inner, predicted = 4 * hidden, size.batch * round((size.length - 2) * 0.15)

    def draw(*shape: int, kind: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape).to(kind)

    for width_in, width_out in ((hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden)):
        yield from _linear(draw(rows, width_in), draw(width_out, width_in), draw(rows, width_out), layers)
    yield from _attention(size, draw)
    stream = draw(rows, hidden, kind=torch.float32)
    scale, shift = torch.ones(hidden), torch.zeros(hidden)
    for count, normed in ((2 * layers, stream), (1, draw(predicted, hidden, kind=torch.float32))):
        _, mean, rstd = aten.native_layer_norm(normed, [hidden], scale, shift, 1e-5)
        yield "norms", count, lambda x=normed: aten.native_layer_norm(x, [hidden], scale, shift, 1e-5)
        yield (
            "norms",
            count,
            lambda x=normed, m=mean, r=rstd: aten.native_layer_norm_backward(
                x, x, [hidden], m, r, scale, shift, [True, True, True]
            ),
        )
    wide = draw(rows, inner)
    yield "gelu", layers, lambda: F.gelu(wide)
    yield "gelu", layers, lambda: aten.gelu_backward(wide, wide)
    other = draw(rows, hidden)
    yield "residual", 2 * layers, lambda: stream + other
    yield "residual", 2 * layers, lambda: stream.add_(other)  # backward: two gradients into one
    table, tokens = draw(size.vocabulary, hidden, kind=torch.float32), torch.randint(size.vocabulary, (rows,))
    positions = draw(size.length, hidden, kind=torch.float32)
    yield "embedding", 1, lambda: F.embedding(tokens, table)
    yield "embedding", 1, lambda: stream.view(size.batch, size.length, hidden) + positions
    yield "embedding", 1, lambda: stream.view(size.batch, size.length, hidden).sum(0)
    gradient = torch.zeros_like(table)
    yield "embedding", 1, lambda: gradient.index_add_(0, tokens, stream)
    chosen = torch.randperm(rows)[:predicted]
    yield "embedding", 1, lambda: stream[chosen]
    masked = stream[chosen]
    yield "embedding", 1, lambda: torch.zeros_like(stream).index_add_(0, chosen, masked)
    yield "head", 1, _head(size, draw(predicted, hidden), table, dtype)
    yield from _optimizer(table.numel() + size.length * hidden + layers * 12 * hidden * hidden, dtype)


def _linear(
    inputs: Tensor, weight: Tensor, gradient: Tensor, layers: int
) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    bias = torch.zeros(weight.shape[0], dtype=weight.dtype)
    yield "products", layers, lambda: aten.addmm(bias, inputs, weight.t())
    yield "products", layers, lambda: gradient @ weight
    yield "products", layers, lambda: gradient.t() @ inputs
    yield "products", layers, lambda: gradient.sum(0)


def _attention(size: Size, draw: Callable[..., Tensor]) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """The faster of the fused kernel and of products with a softmax, which depends on head size and precision."""
    heads, width = size.heads, size.hidden // size.heads
    qkv = draw(size.batch, size.length, 3 * size.hidden).view(size.batch, size.length, 3, heads, width)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    out, logsumexp = aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)
    weights = torch.softmax(query @ key.transpose(-2, -1), -1)
    gradient = torch.randn_like(out)

    def written_out() -> None:
        torch.softmax(query @ key.transpose(-2, -1), -1) @ value

    def written_out_backward() -> None:
        weights.transpose(-2, -1) @ gradient
        of_scores = aten._softmax_backward_data(gradient @ value.transpose(-2, -1), weights, -1, weights.dtype)
        of_scores @ key
        of_scores.transpose(-2, -1) @ query

    def fused() -> None:
        aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)

    def fused_backward() -> None:
        aten._scaled_dot_product_flash_attention_for_cpu_backward(
            gradient, query, key, value, out, logsumexp, 0.0, False
        )

    pairs = ((fused, fused_backward), (written_out, written_out_backward))
    for kernel in min(pairs, key=lambda pair: sum(_milliseconds(kernel) for kernel in pair)):
        yield "attention", size.layers, kernel


def _head(size: Size, masked: Tensor, table: Tensor, dtype: torch.dtype) -> Callable[[], Any]:
    """Output product and loss with their backward: the fastest of torch's two ways and of our own."""
    targets = torch.randint(size.vocabulary, (len(masked),))
    hidden, weight = masked.float().requires_grad_(), table.clone().requires_grad_()
    bias = torch.zeros(size.vocabulary, requires_grad=True)
    leaves = (hidden, weight, bias)

    def chunked() -> None:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=64)
        torch.autograd.grad(
            F.linear_cross_entropy(hidden, weight, targets, linear_bias=bias, reduction="sum", options=options),
            leaves,
        )

    def whole() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = F.linear(hidden, weight, bias)
        torch.autograd.grad(F.cross_entropy(logits.float(), targets, reduction="sum"), leaves)

    def ours() -> None:
        torch.autograd.grad(chunked_cross_entropy(hidden, weight, bias, targets), leaves)

    return min((chunked, whole, ours), key=_milliseconds)


def _optimizer(num_parameters: int, dtype: torch.dtype) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    vector = torch.nn.Parameter(torch.randn(num_parameters))
    vector.grad = torch.randn(num_parameters)
    adamw = torch.optim.AdamW([vector], lr=1e-3, fused=True)
    yield "optimizer", 1, adamw.step
    yield "optimizer", 1, lambda: torch.linalg.vector_norm(vector.grad)
    yield "optimizer", 1, vector.grad.zero_
    if dtype != torch.float32:
        half = vector.detach().to(dtype)
        yield "casts", 1, lambda: vector.detach().to(dtype)  # weights, once a step
        yield "casts", 1, lambda: half.to(torch.float32)  # and their gradients

"""CUDA graphs without a device: what is captured, copied, checked and refused. The capture is a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.cuda_graphs import GraphedPasses, GraphMismatch, Replay


@dataclass(frozen=True)
class Batch:
    values: Tensor
    is_padded: bool = False


class Recording:
    """Captures a call as CUDA does: its warm-up runs, its memory stays, a replay runs it on what is there."""

    def __init__(self, error: float = 0.0) -> None:
        self.num_captures = 0
        self.num_replays = 0
        self.error = error

    def __call__(self, compute: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
        self.num_captures += 1
        loss = torch.zeros(())
        compute()

        def replay() -> None:
            self.num_replays += 1
            loss.copy_(compute() + self.error)

        return replay, loss


def passes(capture: Any) -> tuple[GraphedPasses, Tensor, Callable[[Any, tuple[Any, ...]], Tensor]]:
    gradient = torch.zeros(3)

    def compute(batch: Batch, counts: tuple[Any, ...]) -> Tensor:
        loss = (batch.values.sum() + torch.rand(())) / counts[0]
        gradient.add_(batch.values[:3] / counts[0])
        return loss

    return GraphedPasses(compute, gradient, capture), gradient, compute


def test_a_graph_gives_the_loss_gradient_and_random_numbers_of_the_step_it_stands_for() -> None:
    capture = Recording()
    graphed, gradient, compute = passes(capture)
    batches = [Batch(torch.arange(4.0) + number) for number in range(3)]
    torch.manual_seed(1)
    losses = [float(graphed(batch, (2.0 + number,))) for number, batch in enumerate(batches)]
    summed = gradient.clone()
    gradient.zero_()
    torch.manual_seed(1)
    assert losses == pytest.approx(
        [float(compute(batch, (2.0 + number,))) for number, batch in enumerate(batches)]
    )
    assert torch.allclose(summed, gradient)
    assert capture.num_captures == 1
    assert capture.num_replays == 4, "once to check it, and once a batch"


def test_every_shape_has_a_graph_of_its_own_and_too_many_run_as_written() -> None:
    capture = Recording()
    graphed, gradient, _ = passes(capture)
    graphed(Batch(torch.ones(4)), (1.0,))
    graphed(Batch(torch.ones(4), is_padded=True), (1.0,))
    assert capture.num_captures == 2
    for size in range(5, 25):
        graphed(Batch(torch.ones(size)), (1.0,))
    assert capture.num_captures == 8
    assert gradient.tolist() == [22.0] * 3


def test_a_graph_that_computes_something_else_is_refused_and_leaves_the_gradient_alone() -> None:
    graphed, gradient, _ = passes(Recording(error=0.5))
    gradient.fill_(7.0)
    with pytest.raises(GraphMismatch):
        graphed(Batch(torch.ones(4)), (1.0,))
    assert gradient.tolist() == [7.0] * 3

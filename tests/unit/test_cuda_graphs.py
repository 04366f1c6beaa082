"""CUDA graphs without a device: what is captured, copied, checked and refused. The capture is a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.cuda_graphs import CudaCapture, GraphedPasses, GraphMismatch, Replay


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

    def __call__(self, compute: Callable[[], Any]) -> tuple[Replay, Any]:
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
    assert capture.num_replays == 3, "once to check it, and once for each further batch"


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


def test_a_first_step_that_is_not_finite_runs_as_written_and_the_next_one_is_captured() -> None:
    capture = Recording()
    graphed, gradient, _ = passes(capture)
    assert torch.isinf(graphed(Batch(torch.full((4,), torch.inf)), (1.0,)))
    assert torch.isinf(gradient).all(), "the optimizer is to see it, and to skip the update"
    gradient.fill_(torch.nan)  # of an earlier micro-batch of the same update
    graphed(Batch(torch.ones(4)), (1.0,))
    assert capture.num_captures == 0
    gradient.zero_()
    graphed(Batch(torch.ones(4)), (1.0,))
    assert capture.num_captures == 1
    assert gradient.tolist() == [1.0] * 3


class Broken:
    """A capture that raises one error in the call and, as closing a capture does then, another one over it."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = errors

    def __call__(self, compute: Callable[[], Any]) -> tuple[Replay, Any]:
        compute()
        raised: BaseException | None = None
        for error in self.errors:
            try:
                try:
                    raise raised or error
                finally:
                    if raised is not None:
                        raise error
            except RuntimeError as found:
                raised = found
        assert raised is not None
        raise raised


OVER = RuntimeError("operation failed due to a previous error during capture")


def test_a_step_that_cannot_be_captured_says_why_and_leaves_the_gradient_alone() -> None:
    for errors in ((RuntimeError("no such kernel\nat once"),), (RuntimeError("no such kernel\nat once"), OVER)):
        graphed, gradient, _ = passes(Broken(*errors))
        gradient.fill_(7.0)
        with pytest.raises(GraphMismatch, match=r"cannot be captured: no such kernel$"):
            graphed(Batch(torch.ones(4)), (1.0,))
        assert gradient.tolist() == [7.0] * 3


def test_memory_that_runs_out_in_a_capture_is_still_known_as_that() -> None:
    for errors in ((torch.OutOfMemoryError("no room"),), (torch.OutOfMemoryError("no room"), OVER)):
        graphed, gradient, _ = passes(Broken(*errors))
        with pytest.raises(torch.OutOfMemoryError, match="no room"):
            graphed(Batch(torch.ones(4)), (1.0,))
        assert gradient.tolist() == [0.0] * 3


def test_graphs_that_are_cleared_are_captured_anew() -> None:
    capture = Recording()
    graphed, gradient, _ = passes(capture)
    for _ in range(2):
        graphed(Batch(torch.ones(4)), (1.0,))
        graphed.clear()
    assert capture.num_captures == 2
    assert gradient.tolist() == [2.0] * 3


class Cuda:
    """As much of torch.cuda as captures use; it writes down the pool of each."""

    def __init__(self) -> None:
        self.pools: list[Any] = []
        self.num_handles = 0
        self.num_new_generators = 0
        self.default_generators = [self]

    def graph_pool_handle(self) -> int:
        self.num_handles += 1
        return self.num_handles

    @contextmanager
    def graph(self, _graph: Any, *, pool: Any, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        self.pools.append(pool)
        yield

    def clone_state(self) -> str:
        return "clone"

    def graphsafe_set_state(self, state: str) -> None:
        assert state == "clone"
        self.num_new_generators += 1

    class Stream:
        def wait_stream(self, _other: Any) -> None:
            pass

    class CUDAGraph:
        def replay(self) -> None:
            pass


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    cuda = Cuda()
    for name in ("graph_pool_handle", "graph", "Stream", "CUDAGraph", "default_generators"):
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    monkeypatch.setattr(torch.cuda, "current_stream", Cuda.Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    return cuda


def test_graphs_share_a_pool_of_memory_until_none_of_them_is_left(cuda: Cuda) -> None:
    capture = CudaCapture()
    kept = [capture(lambda: torch.zeros(())) for _ in range(3)]
    assert cuda.pools == [1, 1, 1]
    del kept[0]
    kept.append(capture(lambda: torch.zeros(())))
    assert cuda.pools[-1] == 1
    kept.clear()
    kept.append(capture(lambda: torch.zeros(())))
    assert cuda.pools[-1] == 2, "that of graphs which are gone has been given back"


def test_after_a_capture_that_broke_off_random_numbers_come_from_a_copy_of_the_generator(cuda: Cuda) -> None:
    capture, calls = CudaCapture(), []

    def breaks_in_the_capture() -> None:
        calls.append(1)
        if len(calls) == 4:  # after three calls to warm up
            raise RuntimeError("get_rng_state")

    with pytest.raises(RuntimeError, match="get_rng_state"):
        capture(breaks_in_the_capture)
    assert cuda.num_new_generators == 1

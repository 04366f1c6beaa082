"""The optimizer's update as a graph, without a device: the capture is a stand-in that computes when it replays."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch

from engine.cuda_graphs import GraphedPasses, GraphMismatch, Replay
from engine.distributed import World
from engine.graphed_update import GraphedUpdate
from engine.models.transformer import Transformer
from engine.optim import Optimizer, UpdateFigures
from engine.updates import Updater
from engine.window import Stopwatch
from presets.config import with_values
from presets.schema import ModelConfig, OptimConfig, RunConfig


class Recording:
    """Makes the call three times, as CUDA's capture does, and once more at each replay; `spoil` comes after it."""

    def __init__(self, spoil: Callable[[], object] = lambda: None) -> None:
        self.num_captures = 0
        self.spoil = spoil

    def __call__(self, compute: Callable[[], Any]) -> tuple[Replay, Any]:
        self.num_captures += 1
        for _ in range(3):
            figures: UpdateFigures = compute()

        def replay() -> None:
            new: UpdateFigures = compute()
            figures.norm.copy_(new.norm)
            figures.skipped.copy_(new.skipped)
            self.spoil()

        return replay, figures


def optimizer_of(config: OptimConfig, precision: Literal["fp32", "fp16"] = "fp32") -> Optimizer:
    model = Transformer(ModelConfig(hidden_size=8, num_layers=2, num_heads=2), 50, 16)
    model.initialise(1)
    return Optimizer(model, config, precision)


def give_gradient(optimizer: Optimizer, step: int) -> None:
    gradient = optimizer.flat.gradient
    for place in optimizer.flat.places:
        size = place.end - place.first
        gradient[place.first : place.end] = torch.randn(size, generator=torch.Generator().manual_seed(step))


CONFIGS = [
    OptimConfig(clip_norm=1.0),
    OptimConfig(algorithm="lion"),
    OptimConfig(algorithm="muon", weight_decay=0.1),
    OptimConfig(clip_norm=1.0, ema_decay=0.9),
]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.algorithm}-{config.ema_decay}")
def test_updates_by_a_graph_are_those_without_to_the_bit(
    config: OptimConfig, precision: Literal["fp32", "fp16"]
) -> None:
    plain, graphed = optimizer_of(config, precision), optimizer_of(config, precision)
    capture = Recording()
    update = GraphedUpdate(graphed, capture)
    for step in range(5):
        for optimizer in (plain, graphed):
            give_gradient(optimizer, step)
        expected = plain.step(1e-3 * (step + 1))
        graphed.set_rate(1e-3 * (step + 1))
        figures = update()
        assert torch.equal(figures.norm, expected.norm) and figures.update_ratio is None
    assert capture.num_captures == 1
    assert torch.equal(plain.flat.weight, graphed.flat.weight)
    assert not graphed.flat.gradient.any()
    state = graphed.state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.state().items())
    with plain.judged(), graphed.judged():
        assert torch.equal(plain.flat.weight, graphed.flat.weight)


def test_a_first_gradient_that_is_not_finite_skips_the_update_and_leaves_the_capture_to_the_next() -> None:
    optimizer, capture = optimizer_of(OptimConfig(), "fp16"), Recording()
    update = GraphedUpdate(optimizer, capture)
    optimizer.flat.gradient[3] = torch.inf
    assert update().skipped == 1
    assert capture.num_captures == 0
    give_gradient(optimizer, 1)
    assert update().skipped == 0
    assert capture.num_captures == 1


def refused(update: GraphedUpdate, optimizer: Optimizer, match: str) -> None:
    give_gradient(optimizer, 0)
    optimizer.set_rate(1e-3)
    weight, gradient, state = optimizer.flat.weight.clone(), optimizer.flat.gradient.clone(), optimizer.state()
    with pytest.raises(GraphMismatch, match=match):
        update()
    assert torch.equal(optimizer.flat.weight, weight)
    assert torch.equal(optimizer.flat.gradient, gradient)
    assert all(torch.equal(tensor, state[name]) for name, tensor in optimizer.state().items())


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_graph_that_changes_anything_otherwise_is_refused_and_nothing_is_changed(ema_decay: float) -> None:
    spoiled = {
        "the weights": lambda o: o.flat.weight[:10].add_(1e-2),
        "the gradient": lambda o: o.flat.gradient[:10].add_(1.0),
        "exp_avg_sq": lambda o: dict(o._tensors())["exp_avg_sq.blocks.0.up.weight"].zero_(),
        "step": lambda o: o._count.add_(1.0),
    }
    for name, spoil in spoiled.items():
        if ema_decay and name == "the weights":
            name = "raw"  # what is judged is the average
        optimizer = optimizer_of(OptimConfig(ema_decay=ema_decay))
        capture = Recording(lambda spoil=spoil, optimizer=optimizer: spoil(optimizer))  # type: ignore[misc]
        refused(GraphedUpdate(optimizer, capture), optimizer, f"changes {name}")


def test_an_update_that_cannot_be_captured_or_has_no_memory_for_it_is_refused() -> None:
    for error in (RuntimeError("cannot be captured"), torch.OutOfMemoryError("there is no memory")):

        def breaks(compute: Callable[[], Any], error: Exception = error) -> tuple[Replay, Any]:
            compute()
            raise error

        optimizer = optimizer_of(OptimConfig())
        refused(GraphedUpdate(optimizer, breaks), optimizer, str(error))


def updater(device: str = "cuda", size: int = 1, warnings: list[str] | None = None, **values: Any) -> Updater:
    """An updater on a device that is not touched before it makes an update."""
    config = with_values(RunConfig(), {name.replace("__", "."): value for name, value in values.items()})
    model = Transformer(config.model, 50, 16)
    prepared = SimpleNamespace(
        config=config,
        state=SimpleNamespace(micro_batch=8),
        model=model,
        optimizer=Optimizer(model, config.optim),
        global_batch=8 * size,
    )
    said = [] if warnings is None else warnings
    return Updater(prepared, World(0, size, torch.device(device)), Stopwatch(), said.append)  # type: ignore[arg-type]


def test_what_can_be_captured_is_and_nothing_else() -> None:
    plain = updater()
    assert isinstance(plain._pass, GraphedPasses) and plain._graphed_update is not None
    several = updater(size=2)
    assert isinstance(several._pass, GraphedPasses) and several._graphed_update is None
    again = updater(train__activation_checkpointing=True)
    assert isinstance(again._pass, GraphedPasses)
    dropped = updater(train__activation_checkpointing=True, model__dropout=0.1)
    assert not isinstance(dropped._pass, GraphedPasses) and dropped._graphed_update is not None
    for off in (updater("cpu"), updater(train__cuda_graphs=False)):
        assert not isinstance(off._pass, GraphedPasses) and off._graphed_update is None


def test_an_update_whose_graph_is_refused_is_made_all_the_same_and_said_once() -> None:
    warnings: list[str] = []
    made, plain = updater(warnings=warnings), updater("cpu")
    made._graphed_update = GraphedUpdate(
        made.run.optimizer, Recording(lambda: made.run.optimizer.flat.weight[:10].add_(1.0))
    )
    for each in (made, plain):
        each.run.model.initialise(1)
        for step in range(2):
            give_gradient(each.run.optimizer, step)
            each._step(1e-3, measure=False)
    assert torch.equal(made.run.optimizer.flat.weight, plain.run.optimizer.flat.weight)
    assert len(warnings) == 1 and "not a CUDA graph from here on" in warnings[0]


def test_graphs_of_larger_passes_are_dropped_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made, cleared = updater(), []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: cleared.append("cache"))
    monkeypatch.setattr(GraphedPasses, "clear", lambda _: cleared.append("graphs"))
    made.shrink(4)
    assert made.micro_batch == 4
    assert cleared == ["graphs", "cache"]

"""One update of the weights: unscale, clip, skip what is not finite, change, average; and its saved state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from engine.distributed import World
from engine.optim.adamw import AdamW
from engine.optim.adamw8bit import BLOCK, AdamW8bit
from engine.optim.algorithm import Algorithm, UpdateInputs
from engine.optim.ema import WeightAverage
from engine.optim.flat import FlatParameters
from engine.optim.lion import Lion
from engine.optim.loss_scale import LossScale
from engine.optim.muon import Muon
from presets.schema import OptimConfig

Precision = Literal["fp32", "bf16", "fp16"]
_LATER_KEYS = ("skipped_in_a_row", "loss_scale", "loss_scale_streak")  # not in the oldest checkpoints


@dataclass(frozen=True)
class UpdateFigures:
    """What one update was like; on the device, so that nobody waits for it.

    norm: () the gradient's norm before clipping, without the loss scale. skipped: () 1 when the gradient was not
    finite and nothing changed, else 0. update_ratio: () ‖Δw‖ / ‖w‖ when it was asked for. All float32.
    """

    norm: Tensor
    skipped: Tensor
    update_ratio: Tensor | None


class Optimizer:
    """The configured algorithm on a model's flat parameters, with state that is saved by parameter name.

    precision: in fp16 the loss is scaled. Raises ValueError when the algorithm cannot run on the device.
    """

    def __init__(self, model: nn.Module, config: OptimConfig, precision: Precision = "fp32") -> None:
        self.config = config
        self.flat, self._algorithms = _algorithms(model, config)
        device = self.flat.weight.device
        # a tensor, so that a captured CUDA graph reads the rate anew in every replay
        self._rate = torch.zeros((), device=device)
        self._count = torch.zeros((), device=device)
        self._skipped_in_a_row = torch.zeros((), device=device)
        self._loss_scale = LossScale(device) if precision == "fp16" else None
        self._begun_average: WeightAverage | None = None

    def scale(self, loss: Tensor) -> Tensor:
        """The loss to go backward from: in fp16 times the loss scale, else as it is."""
        return loss if self._loss_scale is None else loss * self._loss_scale.value

    def reduce(self, world: World, wants_stop: bool) -> bool:
        """Sum the gradients over all processes. Returns whether any process wants to stop."""
        if world.size == 1:
            return wants_stop
        self.flat.flag.fill_(float(wants_stop))
        world.sum(self.flat.gradient)
        # on CUDA the hosts agree before the step (World.any), since reading the flag would wait for the device
        return wants_stop if self.flat.flag.is_cuda else bool(self.flat.flag > 0)

    def step(self, lr: float, *, measure: bool = False) -> UpdateFigures:
        """Clip, update, and clear the gradient. measure: also the update's size, at a copy of the weights."""
        self.set_rate(lr)
        return self.update(measure=measure)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the next updates. Outside of a captured CUDA graph, `update` inside."""
        self._rate.fill_(lr)

    def update(self, *, measure: bool = False) -> UpdateFigures:
        """`step` with the rate that was set: reads no number from the device and none from Python."""
        weight, gradient = self.flat.weight, self.flat.gradient
        norm = torch.linalg.vector_norm(gradient[:-1])
        divisor = None
        if self._loss_scale is not None:
            divisor = self._loss_scale.value.clone()
            norm = norm / divisor
        skipped = torch.logical_not(norm < math.inf).float()
        if self.config.clip_norm > 0:
            excess = ((norm + 1e-6) / self.config.clip_norm).clamp(min=1.0)
            divisor = excess if divisor is None else divisor * excess
        self._count += 1.0 - skipped
        self._skipped_in_a_row.add_(1.0).mul_(skipped)
        before = weight.clone() if measure else None
        average = self._average()
        inputs = UpdateInputs(self._rate, divisor, skipped, self._count)
        for algorithm in self._algorithms:
            algorithm.update(inputs)
        if average is not None:
            average.update(inputs)
        if self._loss_scale is not None:
            self._loss_scale.update(skipped)
        gradient.zero_()
        ratio = None
        if before is not None:
            size = torch.linalg.vector_norm(before)
            ratio = torch.linalg.vector_norm(before.sub_(weight)) / size
        return UpdateFigures(norm, skipped, ratio)

    def skipped_in_a_row(self) -> Tensor:
        """() float32: how many updates before now, without one between, were skipped."""
        return self._skipped_in_a_row

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Inside, the model has the average of its weights, when there is one: what evaluations and probes use."""
        average = self._average()
        if average is None or average.is_swapped:
            yield
            return
        average.swap()
        try:
            yield
        finally:
            average.swap()

    def state(self) -> dict[str, Tensor]:
        """Copies on the CPU by name: `<moment>.<parameter>`, `step`, and so on; see `load_state`.

        With an average of weights, `raw.<parameter>` are the weights in training, inside and outside of `judged`:
        the model's own file then holds the average.
        """
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self._tensors().items()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `state`, when the model already has its judged weights; an empty state changes nothing.

        Raises ValueError, before anything is changed, when it does not fit the model and the algorithm.
        """
        if not tensors:
            return
        live = self._tensors()
        for name in sorted(tensors.keys() - live.keys() - set(_LATER_KEYS)):
            raise ValueError(f"the optimizer's state has {name}, which {self._described()} has no use for")
        for name, tensor in live.items():
            saved = tensors.get(name)
            if saved is None and name not in _LATER_KEYS:
                raise ValueError(f"the optimizer's state has no {name}, which {self._described()} needs")
            if saved is not None and (saved.shape, saved.dtype) != (tensor.shape, tensor.dtype):
                raise ValueError(
                    f"{name} has shape {tuple(saved.shape)} and type {saved.dtype}, "
                    f"not {tuple(tensor.shape)} and {tensor.dtype}"
                )
        average = self._average()
        if average is not None:
            average.vector.copy_(self.flat.weight)
        for name, tensor in live.items():
            if name in tensors:
                tensor.copy_(tensors[name])

    def _described(self) -> str:
        return f"{self.config.algorithm} with{'' if self.config.ema_decay > 0 else 'out'} an average of weights"

    def _average(self) -> WeightAverage | None:
        """It begins where it is first asked for: weights may come from a checkpoint after this object was made."""
        if self._begun_average is None and self.config.ema_decay > 0:
            self._begun_average = WeightAverage(self.flat.weight, self.config.ema_decay)
        return self._begun_average

    def _tensors(self) -> dict[str, Tensor]:
        """Live views of all that is saved."""
        tensors = {"step": self._count.view(1), "skipped_in_a_row": self._skipped_in_a_row.view(1)}
        for algorithm in self._algorithms:
            tensors |= algorithm.tensors()
        if self._loss_scale is not None:
            tensors |= self._loss_scale.tensors()
        average = self._average()
        if average is not None:
            raw = average.vector if average.is_swapped else self.flat.weight
            tensors |= {f"raw.{name}": view for name, view in self.flat.named_views(raw)}
        return tensors


def _algorithms(model: nn.Module, config: OptimConfig) -> tuple[FlatParameters, tuple[Algorithm, ...]]:
    """The parameters cut as the algorithm needs them, and who updates which part."""
    if config.algorithm == "adamw8bit":
        device = next(model.parameters()).device
        if device.type != "cuda":
            raise ValueError(
                f"optim.algorithm: adamw8bit needs a CUDA device, and the model is on {device.type}; choose adamw"
            )
        flat = FlatParameters(model, alignment=BLOCK)
        return flat, (AdamW8bit(flat, config, flat.matrices), AdamW(flat, config, flat.embeddings, flat.plain))
    if config.algorithm == "muon":
        flat = FlatParameters(model, alignment=1)  # matrices of one shape must lie at equal distances
        # the rounds were made for bf16; on this project's CPUs it takes up to three times as long (docs/log.md)
        dtype = torch.bfloat16 if flat.weight.is_cuda else torch.float32
        return flat, (Muon(flat, config, flat.matrices, dtype), AdamW(flat, config, flat.embeddings, flat.plain))
    flat = FlatParameters(model)
    decayed = slice(flat.matrices.start, flat.embeddings.stop)
    kind = Lion if config.algorithm == "lion" else AdamW
    return flat, (kind(flat, config, decayed, flat.plain),)

"""AdamW over two flat vectors, the schedules of the learning rate, and clipping."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from engine.distributed import World
from presets.schema import OptimConfig


class FlatParameters:
    """Moves a model's parameters and gradients into flat vectors: one with weight decay, one without.

    Tiny models spend their step in launching many small operations; on flat vectors the norm, the
    clipping, the update and the reduction over processes are one operation each. Decayed are the
    matrices; biases, norms and embeddings of positions are not.
    """

    def __init__(self, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        decayed = {name: p for name, p in named.items() if p.dim() >= 2 and "position" not in name}
        others = {name: p for name, p in named.items() if name not in decayed}
        device = next(iter(named.values())).device
        total = sum(p.numel() for p in named.values())
        # one slot more than there are parameters: processes sum up a flag with the gradients, for free
        self.gradient = torch.zeros(total + 1, device=device)
        self.groups: list[nn.Parameter] = []
        self._slices: list[tuple[str, int, int, int, torch.Size]] = []
        first = 0
        for index, members in enumerate((decayed, others)):
            size = sum(p.numel() for p in members.values())
            vector = nn.Parameter(torch.empty(size, device=device))
            vector.grad = self.gradient[first : first + size]
            offset = 0
            for name, parameter in members.items():
                end = offset + parameter.numel()
                vector.data[offset:end] = parameter.data.flatten()
                parameter.data = vector.data[offset:end].view(parameter.shape)
                parameter.grad = vector.grad[offset:end].view(parameter.shape)
                self._slices.append((name, index, offset, end, parameter.shape))
                offset = end
            self.groups.append(vector)
            first += size

    @property
    def flag(self) -> Tensor:
        """The extra slot, () float32."""
        flag: Tensor = self.gradient[-1]
        return flag

    def named_views(self, vectors: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Cut two vectors shaped like the groups into one view a parameter."""
        for name, index, offset, end, shape in self._slices:
            yield name, vectors[index][offset:end].view(shape)

    def clip(self, max_norm: float) -> Tensor:
        """Scale the gradient down to `max_norm` (0: leave it) and return its norm before, () float32."""
        gradient = self.gradient[:-1]
        norm: Tensor = torch.linalg.vector_norm(gradient)
        if max_norm > 0:
            gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
        return norm


class Optimizer:
    """Fused AdamW (Loshchilov & Hutter 2019) on flat parameters, with state that is saved by parameter name."""

    def __init__(self, model: nn.Module, config: OptimConfig) -> None:
        self.config = config
        self.flat = FlatParameters(model)
        decayed, others = self.flat.groups
        self._adamw = torch.optim.AdamW(
            [
                {"params": [decayed], "weight_decay": config.weight_decay},
                {"params": [others], "weight_decay": 0.0},
            ],
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
            fused=True,
        )

    def reduce(self, world: World, wants_stop: bool) -> bool:
        """Sum the gradients over all processes. Returns whether any process wants to stop."""
        if world.size == 1:
            return wants_stop
        self.flat.flag.fill_(float(wants_stop))
        world.sum(self.flat.gradient)
        return bool(self.flat.flag > 0)

    def step(self, lr: float) -> Tensor:
        """Clip, update, and clear the gradient. Returns the gradient's norm before clipping, () float32."""
        norm = self.flat.clip(self.config.clip_norm)
        for group in self._adamw.param_groups:
            group["lr"] = lr
        self._adamw.step()
        self.flat.gradient.zero_()
        return norm

    def state(self) -> dict[str, Tensor]:
        """`exp_avg.<parameter>`, `exp_avg_sq.<parameter>` and `step`."""
        if not self._adamw.state:
            return {}
        states = [self._adamw.state[group] for group in self.flat.groups]
        tensors = {"step": states[0]["step"].detach().cpu().reshape(1).clone()}
        for moment in ("exp_avg", "exp_avg_sq"):
            vectors = (states[0][moment], states[1][moment])
            tensors |= {f"{moment}.{name}": view.cpu() for name, view in self.flat.named_views(vectors)}
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `state`. Raises KeyError or ValueError when it does not fit the model."""
        if not tensors:
            return
        states: list[dict[str, Tensor]] = []
        for group in self.flat.groups:
            step = tensors["step"].reshape(()).clone()
            # fused AdamW keeps its step counter on the parameters' device
            states.append({"step": step.to(group.device)})
            states[-1] |= {m: torch.zeros_like(group.data) for m in ("exp_avg", "exp_avg_sq")}
        for moment in ("exp_avg", "exp_avg_sq"):
            for name, view in self.flat.named_views((states[0][moment], states[1][moment])):
                saved = tensors[f"{moment}.{name}"]
                if saved.shape != view.shape:
                    raise ValueError(f"{moment} of {name} has shape {tuple(saved.shape)}, not {tuple(view.shape)}")
                view.copy_(saved)
        for group, state in zip(self.flat.groups, states, strict=True):
            self._adamw.state[group] = state


def learning_rate(config: OptimConfig, step: int, total_steps: int) -> float:
    """The rate of update number `step` (from 0) of `total_steps`.

    Warm-up grows linearly and reaches `lr` at its last step. After it, linear and cosine fall to
    `final_lr_ratio` · lr at the end; wsd stays and falls by 1 − √ of the decay's share (Hägele et al. 2024).
    """
    warmup = round(config.warmup_ratio * total_steps)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    left = max(1, total_steps - warmup)
    share = min(1.0, (step - warmup) / left)
    if config.schedule == "constant":
        factor = 1.0
    elif config.schedule == "linear":
        factor = 1.0 - share
    elif config.schedule == "cosine":
        factor = 0.5 * (1.0 + math.cos(math.pi * share))
    else:
        decay = max(1, round(config.decay_ratio * total_steps)) if config.decay_ratio else 0
        into_decay = step - (total_steps - decay)
        factor = 1.0 - math.sqrt(into_decay / decay) if decay and into_decay > 0 else 1.0
    return config.lr * (config.final_lr_ratio + (1.0 - config.final_lr_ratio) * factor)

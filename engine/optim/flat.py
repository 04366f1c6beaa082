"""A model's weights and gradients as two flat vectors, of which the parameters are views.

Tiny models spend their step in launching many small operations; on flat vectors the norm, the clipping, the
update, the average of weights and the reduction over processes are one operation each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Place:
    """Where a parameter lies in the flat vectors."""

    name: str
    first: int
    end: int
    shape: torch.Size


class FlatParameters:
    """Moves a model's parameters and gradients into flat vectors, in three parts that lie one after the other.

    `matrices`: the blocks' matrices, those of one shape side by side. `embeddings`: the other matrices. `plain`:
    biases, norms, and the embeddings of positions and segments, which no weight decay touches.

    weight: (N,) float32. gradient: (N + 1,) float32, a flag behind all gradients.
    alignment: every parameter begins at a multiple of so many numbers; 4 are the 16 bytes that the fast kernels
    of GPUs want. What lies between is 0 and stays 0. Raises ValueError when the model has nothing to train.
    """

    def __init__(self, model: nn.Module, alignment: int = 4) -> None:
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not named:
            raise ValueError("the model has no parameter that is trained")
        parts: tuple[dict[str, nn.Parameter], ...] = ({}, {}, {})
        for name, parameter in named.items():
            parts[_part(name, parameter)][name] = parameter
        shapes = list(dict.fromkeys(batched_shape(name, p.shape) for name, p in parts[0].items()))
        by_shape = sorted(parts[0].items(), key=lambda item: shapes.index(batched_shape(item[0], item[1].shape)))

        self.places: list[Place] = []
        slices: list[slice] = []
        end = 0
        for members in (by_shape, parts[1].items(), parts[2].items()):
            first = end
            for name, parameter in members:
                self.places.append(Place(name, end, end + parameter.numel(), parameter.shape))
                end += -(-parameter.numel() // alignment) * alignment
            slices.append(slice(first, end))
        self.matrices, self.embeddings, self.plain = slices

        device = next(iter(named.values())).device
        self.weight = torch.zeros(end, device=device)
        # one slot more than there are parameters: processes sum up a flag with the gradients, for free
        self.gradient = torch.zeros(end + 1, device=device)
        gradients = dict(self.named_views(self.gradient))
        for name, weight in self.named_views(self.weight):
            weight.copy_(named[name].data)
            named[name].data = weight
            named[name].grad = gradients[name]

    @property
    def flag(self) -> Tensor:
        """The extra slot, () float32."""
        flag: Tensor = self.gradient[-1]
        return flag

    def places_in(self, part: slice) -> list[Place]:
        """The parameters of a part."""
        return [place for place in self.places if part.start <= place.first and place.end <= part.stop]

    def named_views(self, vector: Tensor, part: slice | None = None) -> Iterator[tuple[str, Tensor]]:
        """Cut a vector that is shaped like a part (default: all) into one view a parameter."""
        start = part.start if part is not None else 0
        for place in self.places if part is None else self.places_in(part):
            yield place.name, vector[place.first - start : place.end - start].view(place.shape)


def batched_shape(name: str, shape: torch.Size) -> tuple[int, int]:
    """The shape of the matrices that a parameter of the blocks is made of.

    Query, key and value are three matrices that happen to be stored as one.
    """
    rows, columns = shape
    return (rows // 3, columns) if name.endswith("qkv.weight") else (rows, columns)


def _part(name: str, parameter: nn.Parameter) -> int:
    if parameter.dim() < 2 or "position" in name or "segment" in name:
        return 2
    return 0 if parameter.dim() == 2 and name.startswith("blocks.") else 1

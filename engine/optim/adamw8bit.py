"""AdamW whose moments are kept in 8 bits, in blocks with a scale each (Dettmers et al. 2022), by bitsandbytes.

Its own optimizer counts steps and holds the rate in Python and wipes the moments where a gradient is not finite;
here its quantiser is around torch's fused kernel, so that all of that stays on the device, as for every algorithm.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.optim.adamw import fused_adamw
from engine.optim.algorithm import UpdateInputs, write_unless
from engine.optim.flat import FlatParameters
from presets.schema import OptimConfig

BLOCK = 256  # numbers that share a scale; parameters must begin at multiples of it
_AT_ONCE = 2**22  # numbers that are unpacked together; bounds the scratch memory


class _Moment:
    """One moment of (N,) numbers: a code of 8 bits each, a scale for each block."""

    def __init__(self, size: int, *, signed: bool, device: torch.device) -> None:
        from bitsandbytes.functional import create_dynamic_map  # seconds to import, and for this algorithm alone

        numbers = create_dynamic_map(signed=signed)
        zero = int(numbers.abs().argmin())
        self._map = numbers.to(device)
        self.codes = torch.full((size,), zero, dtype=torch.uint8, device=device)
        self.scales = torch.zeros(size // BLOCK, device=device)

    def unpacked(self, piece: slice) -> Tensor:
        """The numbers of a piece, (n,) float32."""
        from bitsandbytes.functional import dequantize_blockwise

        scales = self.scales[piece.start // BLOCK : piece.stop // BLOCK]
        numbers: Tensor = dequantize_blockwise(self.codes[piece], absmax=scales, code=self._map, blocksize=BLOCK)
        return numbers

    def pack(self, piece: slice, numbers: Tensor, skipped: Tensor) -> None:
        """Keep the numbers of a piece, unless () `skipped` is set."""
        from bitsandbytes.functional import quantize_blockwise

        codes, state = quantize_blockwise(numbers, code=self._map, blocksize=BLOCK)
        write_unless(skipped, codes, self.codes[piece])
        write_unless(skipped, state.absmax, self.scales[piece.start // BLOCK : piece.stop // BLOCK])


class AdamW8bit:
    """Over one part with weight decay, the blocks' matrices.

    Embeddings, norms and biases stay in 32 bits, as bitsandbytes advises: rare tokens have wild moments.
    """

    def __init__(self, flat: FlatParameters, config: OptimConfig, part: slice) -> None:
        self._flat, self._config, self._part = flat, config, part
        size, device = part.stop - part.start, flat.weight.device
        self._exp_avg = _Moment(size, signed=True, device=device)
        self._exp_avg_sq = _Moment(size, signed=False, device=device)
        ends = [(place.end, -(-place.end // BLOCK) * BLOCK) for place in flat.places_in(part)]
        self._gaps = [slice(end, next_first) for end, next_first in ends if end < next_first]

    def update(self, inputs: UpdateInputs) -> None:
        """See `Algorithm`."""
        for first in range(self._part.start, self._part.stop, _AT_ONCE):
            place = slice(first, min(first + _AT_ONCE, self._part.stop))
            piece = slice(place.start - self._part.start, place.stop - self._part.start)
            exp_avg, exp_avg_sq = self._exp_avg.unpacked(piece), self._exp_avg_sq.unpacked(piece)
            fused_adamw(
                self._config, inputs, self._config.weight_decay,
                self._flat.weight[place], self._flat.gradient[place], exp_avg, exp_avg_sq,
            )  # fmt: skip
            self._exp_avg.pack(piece, exp_avg, inputs.skipped)
            self._exp_avg_sq.pack(piece, exp_avg_sq, inputs.skipped)
        for gap in self._gaps:  # none when the hidden size is a multiple of 16
            self._flat.weight[gap].zero_()  # the quantiser takes 0 for a little more than 0

    def tensors(self) -> dict[str, Tensor]:
        """`exp_avg_codes.<parameter>`, `exp_avg_scales.<parameter>`, and the same of `exp_avg_sq`."""
        tensors: dict[str, Tensor] = {}
        for name, moment in (("exp_avg", self._exp_avg), ("exp_avg_sq", self._exp_avg_sq)):
            views = self._flat.named_views(moment.codes, self._part)
            tensors |= {f"{name}_codes.{parameter}": view for parameter, view in views}
            for place in self._flat.places_in(self._part):
                first, end = place.first - self._part.start, place.end - self._part.start
                tensors[f"{name}_scales.{place.name}"] = moment.scales[first // BLOCK : -(-end // BLOCK)]
        return tensors

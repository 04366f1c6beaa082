"""Pairs of texts for NSP and SOP: sequences cut at the end of a sentence, and their halves put together anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.data.batches import SequenceStore, to_device
from engine.data.hashing import position_keys
from engine.data.masking import MaskedBatch
from engine.data.token_surface import token_surfaces
from engine.data.tokenizers import CLS, PAD, SEP

PairKind = Literal["nsp", "sop"]

_NUM_SPECIAL = 3  # [CLS] and two [SEP]
_SENTENCE_END = re.compile(rb"[.!?]+[\"')\]]*")
_CHANGED, _OTHER = 11, 12  # streams of randomness, apart from those of masks


@dataclass(frozen=True)
class TextPairs:
    """Two texts one after the other, before the [SEP] between them is put in.

    tokens: (B, L) `[CLS] first second [SEP] [PAD] …`, of at most L − 1 tokens. first, second: (B,) tokens of each.
    belongs: (B,) whether the second text follows the first (NSP), or they are in order (SOP).
    is_pair: (B,) false where a sequence is too short to be cut in two; then there is nothing to tell.
    """

    tokens: Tensor
    first: Tensor
    second: Tensor
    belongs: Tensor
    is_pair: Tensor

    @property
    def lengths(self) -> Tensor:
        """(B,) tokens with [CLS] and the one [SEP]."""
        return self.first + self.second + 2


@dataclass(frozen=True)
class PairedBatch:
    """What `with_separator` makes of masked pairs: `[CLS] first [SEP] second [SEP] [PAD] …`.

    inputs: (B, L) ids. lengths: (B,) tokens with specials. segments: (B, L) 0 and, after the middle [SEP], 1.
    positions, targets: (B, M) as in MaskedBatch.
    """

    inputs: Tensor
    lengths: Tensor
    segments: Tensor
    positions: Tensor
    targets: Tensor


def sentence_ends(tokenizer: Tokenizer) -> Tensor:
    """(V,) bool: tokens that end a sentence: `.`, `!`, `?`, several of them, and with closing marks after them."""
    return torch.tensor([bool(_SENTENCE_END.fullmatch(surface.text)) for surface in token_surfaces(tokenizer)])


def make_pairs(
    kind: PairKind, store: SequenceStore, samples: Tensor, keys: Tensor, ends: Tensor, length: int
) -> TextPairs:
    """Cut each sequence in two and, for half of them, swap the halves (SOP) or take another second half (NSP).

    samples: (B,) on the CPU. keys: (B,) on the CPU, from `sample_keys`; all that is drawn follows from them. ends:
    (V,) on the store's device, from `sentence_ends`. length: L. A sequence of L tokens loses its last one, for
    which the second [SEP] leaves no room, before it is cut. The other half is that of any sequence of another
    document of the same shard, each with the same probability (Devlin et al. 2019, 3.1; Lan et al. 2020, 3.1).
    """
    tokens, sizes = _tokens(store, samples, length)
    cuts = _cuts(tokens, sizes, ends)
    is_pair = sizes >= 2
    is_changed = (position_keys(keys, 1, _CHANGED)[:, 0] & 1).bool()
    if kind == "sop":
        swapped = to_device(is_changed, tokens.device) & is_pair
        first = torch.where(swapped, sizes - cuts, cuts)
        # nowhere `where` with a number, which it copies to the device and waits for
        starts = cuts.masked_fill(~swapped, 0), cuts.masked_fill(swapped, 0)
        joined = _joined(tokens, tokens, starts, first, sizes - first)
        return TextPairs(joined, first, sizes - first, ~swapped, is_pair)
    others, has_other = _others(store, samples, keys)
    replaced = to_device(is_changed & has_other, tokens.device) & is_pair
    other_tokens, other_sizes = _tokens(store, others, length)
    other_cuts = _cuts(other_tokens, other_sizes, ends)
    room = length - _NUM_SPECIAL - cuts
    second = torch.where(replaced, torch.minimum(other_sizes - other_cuts, room), sizes - cuts)
    starts = torch.zeros_like(cuts), torch.where(replaced, other_cuts, cuts)
    joined = _joined(tokens, torch.where(replaced[:, None], other_tokens, tokens), starts, cuts, second)
    return TextPairs(joined, cuts, second, ~replaced, is_pair)


def pair_lengths(lengths: Tensor, length: int) -> Tensor:
    """(B,) what `TextPairs.lengths` is for SOP, which moves halves and changes no length. lengths: the store's."""
    return lengths.clamp(max=length - 1)


def with_separator(masked: MaskedBatch, first: Tensor) -> PairedBatch:
    """Put the middle [SEP] in after the masks are made, so that it is never one of them. first: (B,) tokens."""
    position = torch.arange(masked.inputs.shape[1], device=first.device)
    middle = first[:, None] + 1
    inputs = masked.inputs.gather(1, position - (position > middle).long())
    lengths = masked.lengths + 1
    return PairedBatch(
        inputs=inputs.masked_fill_(position == middle, SEP),
        lengths=lengths,
        segments=((position > middle) & (position < lengths[:, None])).long(),
        positions=masked.positions + (masked.positions > first[:, None]).long(),
        targets=masked.targets,
    )


def _tokens(store: SequenceStore, samples: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """(B, L) tokens, and (B,) how many words of each there is room for."""
    tokens, lengths, _ = store.rows(samples, length)
    return tokens, (lengths - 2).clamp(max=length - _NUM_SPECIAL)


def _cuts(tokens: Tensor, sizes: Tensor, ends: Tensor) -> Tensor:
    """(B,) tokens of the first half: up to the sentence's end nearest the middle, the earlier of two; or half."""
    width = tokens.shape[1]
    position = torch.arange(width, device=tokens.device)
    is_end = ends[tokens] & (position >= 1) & (position < sizes[:, None])
    distance = (2 * position - sizes[:, None]).abs()
    nearest = (distance * width + position).masked_fill_(~is_end, width * width * 2).amin(dim=1)
    cuts = torch.where(nearest < width * width * 2, nearest % width, (sizes // 2).clamp(min=1))
    return torch.minimum(cuts, sizes - 1)


def _joined(
    tokens: Tensor, others: Tensor, starts: tuple[Tensor, Tensor], first: Tensor, second: Tensor
) -> Tensor:
    """(B, L) `first` tokens of the one after starts[0], then `second` of the other after starts[1]."""
    width = tokens.shape[1]
    position = torch.arange(width, device=tokens.device)
    from_one = tokens.gather(1, (starts[0][:, None] + position).clamp(max=width - 1))
    place = starts[1][:, None] + position - first[:, None]
    from_other = others.gather(1, place.clamp(0, width - 1))
    end = (first + second + 1)[:, None]
    joined = torch.where(position <= first[:, None], from_one, from_other)
    joined = joined.masked_fill_(position == end, SEP).masked_fill_(position > end, PAD)
    joined[:, 0] = CLS
    return joined


def _others(store: SequenceStore, samples: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) sequences of other documents of the same shards, and (B,) whether there is one. On the CPU."""
    shard, document = store.shard_bounds[samples], store.document_bounds[samples]
    own = document[:, 1] - document[:, 0]
    num_others = shard[:, 1] - shard[:, 0] - own
    drawn = shard[:, 0] + position_keys(keys, 1, _OTHER)[:, 0] % num_others.clamp(min=1)
    others = torch.where(drawn < document[:, 0], drawn, drawn + own)
    has_other = num_others > 0
    return torch.where(has_other, others, samples), has_other

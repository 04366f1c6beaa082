"""Masks for masked language modelling: a fixed number a row, true 80/10/10, a function of the sample's key."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.hashing import position_keys
from engine.data.tokenizers import MASK
from presets.schema import NUM_SPECIAL_TOKENS, ObjectiveConfig

IGNORED = -100
_LARGEST = torch.iinfo(torch.int64).max
_WHICH, _KIND, _WORD, _WHOLE = 1, 2, 3, 4  # streams of randomness
_WIDTH_STEP = 8


@dataclass(frozen=True)
class MaskedBatch:
    """inputs: (B, L) token ids after masking. lengths: (B,) tokens with [CLS] and [SEP].

    positions: (B, M) masked positions, 0 where a row has fewer. targets: (B, M) ids, IGNORED there.
    is_padded: some row is shorter than L, so that attention needs a mask.
    """

    inputs: Tensor
    lengths: Tensor
    positions: Tensor
    targets: Tensor
    is_padded: bool


def num_masks(lengths: Tensor, mask_rate: float) -> Tensor:
    """How many tokens of each row are predicted. lengths: (B,) with [CLS] and [SEP]; at least 1 a row."""
    return ((lengths - 2).double() * mask_rate).round().long().clamp(min=1)


def mask_rate_at(objective: ObjectiveConfig, share: float) -> float:
    """The training rate when this share of the run's steps is over: a straight line between its two ends."""
    if not objective.mask_rate_end:
        return objective.mask_rate
    return objective.mask_rate + (objective.mask_rate_end - objective.mask_rate) * share


def masked_positions(
    lengths: Tensor,
    keys: Tensor,
    length: int,
    mask_rate: float,
    starts: Tensor | None = None,
    *,
    rate_varies: bool = False,
) -> Tensor:
    """Choose which tokens of each row to predict.

    lengths: (B,) tokens with [CLS] and [SEP]. keys: (B,) from `sample_keys`. Returns (B, M) positions,
    distinct within a row, never of a special token; rows with fewer than M are filled up with -1. M is the
    same for all batches of one length, so that compiled steps see one shape (Geiping & Goldstein 2022, 4.2);
    where the rate varies it goes in steps of 8, so that they see few.
    starts: (B, L) bool, true where a word begins. With it words are chosen, in an order of their own, until the
    row has its number; the last one is cut where it would be more, and its first pieces are taken.
    """
    position = torch.arange(length, device=keys.device)
    is_word = (position >= 1) & (position < lengths[:, None] - 1)
    width = int(num_masks(torch.tensor([length]), mask_rate))
    if rate_varies:
        width = min(-(-width // _WIDTH_STEP) * _WIDTH_STEP, length)
    if starts is None:
        random = position_keys(keys, length, _WHICH)
        chosen = random.masked_fill(~is_word, _LARGEST).topk(width, dim=1, largest=False).indices
    else:
        # what stands before the first beginning is the rest of a word that was cut, and counts as one
        words = starts.long().cumsum(1)
        random = position_keys(keys, length + 1, _WHOLE).gather(1, words)
        chosen = random.masked_fill(~is_word, _LARGEST).sort(dim=1, stable=True).indices[:, :width]
    is_spare = torch.arange(width, device=keys.device) >= num_masks(lengths, mask_rate)[:, None]
    return chosen.masked_fill(is_spare, -1)


def apply_masks(
    tokens: Tensor,
    lengths: Tensor,
    keys: Tensor,
    vocab_size: int,
    objective: ObjectiveConfig,
    mask_rate: float,
    is_padded: bool,
    starts_word: Tensor | None = None,
) -> MaskedBatch:
    """Hide tokens: of the chosen ones 80 % become [MASK], 10 % a random word, 10 % stay (as configured).

    tokens: (B, L) ids with specials and padding. Random words are uniform over the whole vocabulary
    without the special tokens (Devlin et al. 2019, 3.1). starts_word: (V,) bool, which tokens begin a word; with
    it whole words are chosen. What becomes of a chosen token is drawn for each piece of a word by itself.
    """
    length = tokens.shape[1]
    starts = None if starts_word is None else starts_word[tokens]
    rate_varies = objective.mask_rate_end > 0
    chosen = masked_positions(lengths, keys, length, mask_rate, starts, rate_varies=rate_varies)
    is_spare = chosen < 0
    positions = chosen.clamp(min=0)
    originals = tokens.gather(1, positions)
    width = positions.shape[1]
    share = position_keys(keys, width, _KIND).double() / float(1 << 63)
    num_words = vocab_size - NUM_SPECIAL_TOKENS
    random_words = position_keys(keys, width, _WORD) % num_words + NUM_SPECIAL_TOKENS
    is_random = share < objective.mask_token_share + objective.random_token_share
    replaced = torch.where(is_random, random_words, originals)
    # not `where`, which copies a number to the device and waits for it
    replaced = replaced.masked_fill_(share < objective.mask_token_share, MASK)
    replaced = torch.where(is_spare, originals, replaced)  # position 0, [CLS], put back as it is
    return MaskedBatch(
        inputs=tokens.scatter(1, positions, replaced),
        lengths=lengths,
        positions=positions,
        targets=originals.masked_fill(is_spare, IGNORED),
        is_padded=is_padded,
    )

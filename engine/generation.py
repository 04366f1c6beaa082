"""Text from a causal model: it goes on from a beginning, one token after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.data.hashing import scalar_seed
from engine.data.token_text import row_text
from engine.data.tokenizers import CLS, MASK, PAD, SEP
from engine.models.transformer import Transformer

_NEVER = [PAD, CLS, MASK]
_DRAW_SEED = 0x6E47


class NotFinite(ValueError):
    """The model's scores are infinite or no numbers, and no token can be drawn by them."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: temperature first, then the top_k likeliest, then the nucleus of top_p.

    temperature: 0 always takes the likeliest token. top_k: 0 for all. top_p: the likeliest tokens that together
    have at least this probability (Holtzman et al. 2020, 3.1); 1 for all.
    """

    new_tokens: int = 32
    temperature: float = 0.8
    top_k: int = 50
    top_p: float = 1.0
    seed: int = 0


@torch.no_grad()
def generate(
    model: Transformer,
    prompt: list[int],
    sampling: Sampling,
    each: Callable[[list[int]], None] = lambda new: None,
) -> list[int]:
    """The new token ids, at most `new_tokens` and as many as the model's length has room for, without [SEP].

    prompt: ids that begin with [CLS]. each: told of all new tokens whenever there is one more; what it raises
    ends the work. It ends at the first [SEP]; [PAD], [CLS] and [MASK] are never drawn. The same prompt, weights
    and seed give the same tokens, whatever else was drawn before. Each token takes a pass over all before it, and
    nothing is kept between passes: at lengths of some hundreds a cache of keys and values would save less than a
    second. Raises ValueError for a prompt that is empty or fills the model's length, and NotFinite.
    """
    if not 0 < len(prompt) < model.length:
        raise ValueError(f"a prompt of {len(prompt)} tokens, and the model takes {model.length}")
    generator = torch.Generator().manual_seed(scalar_seed(_DRAW_SEED, sampling.seed))
    device = model.head_bias.device
    was_training = model.training
    model.eval()
    room = min(sampling.new_tokens, model.length - len(prompt))
    tokens = torch.tensor([prompt + [PAD] * room], device=device)
    num_tokens = len(prompt)
    try:
        for _ in range(room):
            hidden = model(tokens[:, :num_tokens], None)[0, -1]
            token = draw_token(model.logits(hidden).float().cpu(), sampling, generator)
            if token == SEP:
                break
            tokens[0, num_tokens] = token
            num_tokens += 1
            each(tokens[0, len(prompt) : num_tokens].tolist())
    finally:
        model.train(was_training)
    new: list[int] = tokens[0, len(prompt) : num_tokens].tolist()
    return new


def draw_token(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """One token id. logits: (V,) float32 on the CPU. Raises NotFinite."""
    if not bool(logits.isfinite().all()):
        raise NotFinite("the model's scores are not finite")
    scores = logits.index_fill(0, torch.tensor(_NEVER), float("-inf"))
    if sampling.temperature == 0:
        return int(scores.argmax())
    values, order = scores.double().sort(descending=True, stable=True)
    if sampling.top_k:
        values, order = values[: sampling.top_k], order[: sampling.top_k]
    # the highest becomes 0 first: however low the temperature, it stays finite, and the rest falls to -inf
    shares = torch.softmax((values - values[0]) / sampling.temperature, dim=0)
    if sampling.top_p < 1:
        shares = shares.masked_fill(shares.cumsum(0) - shares >= sampling.top_p, 0.0)
    return int(order[torch.multinomial(shares, 1, generator=generator)])


def continuation(tokenizer: Tokenizer, prompt: list[int], new: list[int]) -> str:
    """What the new tokens add to the text of the prompt, with a space first where one belongs there.

    prompt: ids without [CLS].
    """
    before = row_text(tokenizer, prompt)
    whole = row_text(tokenizer, prompt + new)
    return whole[len(before) :] if whole.startswith(before) else row_text(tokenizer, new)

"""Fill-mask probes: what a model puts in the place of each [MASK], over the whole vocabulary."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from engine.data.tokenizers import CLS, MASK, SEP, UNK, encode_probe, token_text
from engine.models.transformer import Transformer
from presets.schema import MASK_TOKEN
from runs.events import Candidate, ProbeResult


class ProbeError(ValueError):
    """A sentence that cannot be completed; the text says why."""


@torch.no_grad()
def fill_masks(model: Transformer, tokenizer: Tokenizer, text: str, length: int, top_k: int) -> ProbeResult:
    """Complete one sentence. length: the model's sequence length. Raises ProbeError."""
    ids = [CLS, *encode_probe(tokenizer, text), SEP]
    places = [place for place, token in enumerate(ids) if token == MASK]
    if not places:
        raise ProbeError(f"the sentence has no {MASK_TOKEN}: {text!r}")
    if len(ids) > length:
        raise ProbeError(f"the sentence has {len(ids)} tokens, and the model takes {length}")
    device = model.head_bias.device
    was_training = model.training
    model.eval()
    hidden = model(torch.tensor([ids], device=device), None)[0, places]
    probabilities = torch.softmax(model.logits(hidden).float(), dim=-1)
    model.train(was_training)
    best = probabilities.topk(min(top_k, probabilities.shape[-1]), dim=-1)
    masks = tuple(
        tuple(
            Candidate(token_text(tokenizer, int(token)), float(probability))
            for token, probability in zip(tokens, values, strict=True)
        )
        for tokens, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )
    return ProbeResult(text=text, masks=masks, num_unknown=ids.count(UNK))

"""Probes: what a model makes of a sentence. It fills the masks, goes on from it, or names its label."""

from __future__ import annotations

import math

import torch
from tokenizers import Tokenizer

from engine.compiling import uncompiled
from engine.data.tokenizers import CLS, MASK, SEP, UNK, encode_probe, token_text
from engine.generation import NotFinite, Sampling, continuation, generate
from engine.models.transformer import Transformer
from presets.schema import MASK_TOKEN, ProbesConfig, RunConfig
from runs.events import Candidate, ProbeResult

_NOT_FINITE = (
    "the model's scores are infinite or no numbers: its weights are broken, and it says nothing of a text"
)


class ProbeError(ValueError):
    """A sentence that the model can make nothing of; the text says why."""


def probe(model: Transformer, tokenizer: Tokenizer, text: str, config: RunConfig) -> ProbeResult:
    """Ask the model what its objective taught it. The model's mode and random state stay. Raises ProbeError."""
    with uncompiled(model):  # every length is another shape
        match config.objective.kind:
            case "clm":
                return continue_text(model, tokenizer, text, config.probes)
            case "classification":
                from engine.objectives.classification import classify_text

                length = config.data.sequence_length
                return _sound(classify_text(model, tokenizer, text, length, config.probes.top_k))
            case _:
                if not config.objective.has_masks:
                    raise ProbeError(
                        f"no {MASK_TOKEN} is filled: the masks have no weight in this run (objective.mlm_weight)"
                    )
                return fill_masks(model, tokenizer, text, config.data.sequence_length, config.probes.top_k)


@torch.no_grad()
def fill_masks(model: Transformer, tokenizer: Tokenizer, text: str, length: int, top_k: int) -> ProbeResult:
    """The most probable tokens for each [MASK], over the whole vocabulary. length: the model's sequence length.

    Raises ProbeError.
    """
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
    return _sound(ProbeResult(text=text, masks=masks, num_unknown=ids.count(UNK)))


def continue_text(model: Transformer, tokenizer: Tokenizer, text: str, probes: ProbesConfig) -> ProbeResult:
    """How a causal model goes on from a beginning, which may be empty. Raises ProbeError."""
    ids = encode_probe(tokenizer, text)
    if MASK in ids:
        raise ProbeError(f"a causal model goes on from a beginning, and fills no {MASK_TOKEN}: {text!r}")
    if len(ids) + 2 > model.length:
        raise ProbeError(
            f"the beginning has {len(ids) + 1} tokens, and the model takes {model.length}, with what it adds"
        )
    sampling = Sampling(
        new_tokens=probes.new_tokens,
        temperature=probes.temperature,
        top_k=probes.sample_top_k,
        top_p=probes.top_p,
        seed=probes.seed,
    )
    try:
        new = generate(model, [CLS, *ids], sampling)
    except NotFinite:
        raise ProbeError(_NOT_FINITE) from None
    generated = continuation(tokenizer, ids, new)
    return ProbeResult(text=text, masks=(), num_unknown=ids.count(UNK), generated=generated)


def _sound(result: ProbeResult) -> ProbeResult:
    """The same, whose probabilities are numbers. Raises ProbeError."""
    if any(math.isnan(candidate.probability) for mask in result.masks for candidate in mask):
        raise ProbeError(_NOT_FINITE)
    return result

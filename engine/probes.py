"""Probes: what a model makes of a sentence. It fills the masks, goes on from it, or names its label."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from engine.compiling import uncompiled
from engine.data.tokenizers import CLS, MASK, SEP, UNK, encode_probe, token_text
from engine.expected_words import mask_words, next_word
from engine.generation import NotFinite, Sampling, continuation, generate
from engine.models.transformer import Transformer
from presets.schema import MASK_TOKEN, ProbesConfig, RunConfig
from runs.events import Candidate, Expected, ProbeResult

_NOT_FINITE = (
    "the model's scores are infinite or no numbers: its weights are broken, and it says nothing of a text"
)


class ProbeError(ValueError):
    """A sentence that the model can make nothing of; the text says why."""


def require_room(tokenizer: Tokenizer, text: str, config: RunConfig, model_length: int) -> None:
    """Raises ProbeError for a text that is too long for what the objective would make of it."""
    num_tokens = len(encode_probe(tokenizer, text))
    if config.objective.kind == "clm":
        if num_tokens + 2 > model_length:
            raise ProbeError(_too_long_to_go_on(num_tokens, model_length))
    elif config.objective.has_masks and num_tokens + 2 > config.data.sequence_length:
        raise ProbeError(_too_long(num_tokens + 2, config.data.sequence_length))


def word_notes(results: Sequence[ProbeResult]) -> tuple[str, ...]:
    """What a person should know of the expected words of some probes: which are unknown, which are in pieces."""
    notes: list[str] = []
    for word in (word for result in results for word in result.expected):
        if not word.rank:
            notes.append(f"{word.word!r} is not in the vocabulary and has no rank")
        elif word.num_tokens > 1:
            notes.append(
                f"{word.word!r} is {word.num_tokens} tokens: the rank is that of its first, {word.token!r}"
            )
    return tuple(notes)


def probe(
    model: Transformer, tokenizer: Tokenizer, text: str, config: RunConfig, expected: Sequence[str] = ()
) -> ProbeResult:
    """Ask the model what its objective taught it. The model's mode and random state stay. Raises ProbeError.

    expected: a word for each mask, the one that comes next, or the label; their ranks are in the result.
    """
    with uncompiled(model):  # every length is another shape
        match config.objective.kind:
            case "clm":
                return continue_text(model, tokenizer, text, config.probes, expected)
            case "classification":
                from engine.objectives.classification import classify_text

                length = config.data.sequence_length
                return _sound(classify_text(model, tokenizer, text, length, config.probes.top_k, expected))
            case _:
                if not config.objective.has_masks:
                    raise ProbeError(
                        f"no {MASK_TOKEN} is filled: the masks have no weight in this run (objective.mlm_weight)"
                    )
                length = config.data.sequence_length
                return fill_masks(model, tokenizer, text, length, config.probes.top_k, expected)


@torch.no_grad()
def fill_masks(
    model: Transformer, tokenizer: Tokenizer, text: str, length: int, top_k: int, expected: Sequence[str] = ()
) -> ProbeResult:
    """The most probable tokens for each [MASK], over the whole vocabulary. length: the model's sequence length.

    expected: a word for each mask. Raises ProbeError.
    """
    ids = [CLS, *encode_probe(tokenizer, text), SEP]
    places = [place for place, token in enumerate(ids) if token == MASK]
    if not places:
        raise ProbeError(f"the sentence has no {MASK_TOKEN}: {text!r}")
    if len(ids) > length:
        raise ProbeError(_too_long(len(ids), length))
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
    words = mask_words(tokenizer, text, expected, ids[1:-1], probabilities) if expected else ()
    return _sound(ProbeResult(text=text, masks=masks, num_unknown=ids.count(UNK), expected=words))


@torch.no_grad()
def continue_text(
    model: Transformer, tokenizer: Tokenizer, text: str, probes: ProbesConfig, expected: Sequence[str] = ()
) -> ProbeResult:
    """How a causal model goes on from a beginning, which may be empty. expected: the word that comes next.

    Raises ProbeError.
    """
    ids = encode_probe(tokenizer, text)
    if MASK in ids:
        raise ProbeError(f"a causal model goes on from a beginning, and fills no {MASK_TOKEN}: {text!r}")
    if len(ids) + 2 > model.length:
        raise ProbeError(_too_long_to_go_on(len(ids), model.length))
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
    words = _next(model, tokenizer, text, expected[0], ids) if expected else ()
    return ProbeResult(text=text, masks=(), num_unknown=ids.count(UNK), generated=generated, expected=words)


def _next(
    model: Transformer, tokenizer: Tokenizer, text: str, word: str, ids: Sequence[int]
) -> tuple[Expected, ...]:
    """The rank of one word right after the text."""
    was_training = model.training
    model.eval()
    hidden = model(torch.tensor([[CLS, *ids]], device=model.head_bias.device), None)[0, -1]
    probabilities = torch.softmax(model.logits(hidden).float(), dim=-1)
    model.train(was_training)
    return next_word(tokenizer, text, word, ids, probabilities)


def _too_long(num_tokens: int, length: int) -> str:
    return f"the sentence has {num_tokens} tokens, and the model takes {length}"


def _too_long_to_go_on(num_tokens: int, length: int) -> str:
    return f"the beginning has {num_tokens + 1} tokens, and the model takes {length}, with what it adds"


def _sound(result: ProbeResult) -> ProbeResult:
    """The same, whose probabilities are numbers. Raises ProbeError."""
    if any(math.isnan(candidate.probability) for mask in result.masks for candidate in mask):
        raise ProbeError(_NOT_FINITE)
    return result

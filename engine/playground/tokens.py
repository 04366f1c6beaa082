"""A text token by token: what the tokenizer made of it, and what each token costs the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.special_tokens import CLS, MASK, SEP, UNK
from engine.data.tokenizers import token_text
from engine.loaded_model import LoadedModel
from engine.probes import ProbeError
from runs.events import Candidate
from runs.playground import Token

_GUESSES = 5
_ROWS_AT_ONCE = 16
_MOST_LISTED = 2_000
_MOST_JUDGED = 256
_DIGITS = 6


@dataclass(frozen=True)
class Encoded:
    """A text in a model's tokens. ids: (T,) without [CLS] and [SEP]. spans: where each one's characters are."""

    text: str
    ids: list[int]
    spans: list[tuple[int, int]]

    @property
    def num_unknown(self) -> int:
        """Tokens that the vocabulary has no entry for."""
        return self.ids.count(UNK)


def encode(loaded: LoadedModel, text: str) -> Encoded:
    """The text as the objective reads it: `[MASK]` is the mask, but for a classifier, which knows none."""
    tokenizer = loaded.tokenizer
    tokenizer.encode_special_tokens = loaded.config.objective.kind == "classification"
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return Encoded(text, list(encoding.ids), [(start, end) for start, end in encoding.offsets])


def listed(loaded: LoadedModel, encoded: Encoded) -> tuple[Token, ...]:
    """What the tokenizer did, without losses; the first 2,000."""
    starts = loaded.word_starts
    rows = zip(encoded.ids[:_MOST_LISTED], encoded.spans, strict=False)
    return tuple(
        Token(
            token=token_text(loaded.tokenizer, id),
            id=id,
            piece=encoded.text[start:end],
            start=start,
            end=end,
            is_unknown=id == UNK,
            is_mask=id == MASK,
            begins_word=None if starts is None else starts[id],
        )
        for id, (start, end) in rows
    )


def require_room(loaded: LoadedModel, num_tokens: int) -> None:
    """Raises ProbeError for a text that the model cannot take whole, and for one that is empty."""
    if not num_tokens:
        raise ProbeError("there is nothing to look at: the text is empty")
    if num_tokens + 2 > loaded.model.length:
        raise ProbeError(
            f"the text has {num_tokens + 2:,} tokens with [CLS] and [SEP], and the model takes "
            f"{loaded.model.length:,}; take {num_tokens + 2 - loaded.model.length:,} away"
        )


@torch.no_grad()
def judged(
    loaded: LoadedModel, encoded: Encoded, tokens: tuple[Token, ...], still_wanted: Callable[[], None]
) -> tuple[Token, ...]:
    """The tokens with their losses. still_wanted: called now and then; what it raises ends the work.

    A masked model is asked for each token with [MASK] in its place and all others there (Salazar et al. 2020,
    section 2.2); a causal one for the next token; of a classifier it is the loss of the text's own label while the
    token is hidden. Raises ProbeError for a text that is too long.
    """
    require_room(loaded, len(encoded.ids))
    kind = loaded.config.objective.kind
    if kind == "clm":
        return _with_losses(loaded, tokens, _next_scores(loaded, encoded.ids))
    if len(encoded.ids) > _MOST_JUDGED:
        raise ProbeError(
            f"each of the {len(encoded.ids):,} tokens would be hidden in its turn; take a text of at most "
            f"{_MOST_JUDGED}"
        )
    if kind == "classification":
        return _with_label_losses(loaded, encoded.ids, tokens, still_wanted)
    if not loaded.config.objective.has_masks:
        raise ProbeError("the model learnt to fill no masks, so no token has a loss (objective.mlm_weight)")
    return _with_losses(loaded, tokens, _hidden_scores(loaded, encoded.ids, still_wanted))


def _next_scores(loaded: LoadedModel, ids: list[int]) -> Tensor:
    """(T, V) each token from what stands before it, in one pass."""
    hidden = loaded.model(torch.tensor([[CLS, *ids[:-1]]]), None)[0]
    return loaded.model.logits(hidden)


def _hidden_scores(loaded: LoadedModel, ids: list[int], still_wanted: Callable[[], None]) -> Tensor:
    """(T, V) each token with [MASK] in its place, beside the masks that the text has."""
    model = loaded.model
    parts = []
    for rows, places in _masked_in_turn(ids):
        still_wanted()
        parts.append(model.logits(model(rows, None)[torch.arange(len(rows)), places]))
    return torch.cat(parts)


def _with_label_losses(
    loaded: LoadedModel, ids: list[int], tokens: tuple[Token, ...], still_wanted: Callable[[], None]
) -> tuple[Token, ...]:
    model = loaded.model
    whole = model.classify(model(torch.tensor([[CLS, *ids, SEP]]), None))[0]
    label = int(whole.argmax())
    parts = []
    for rows, _ in _masked_in_turn(ids):
        still_wanted()
        parts.append(model.classify(model(rows, None)))
    log_shares = F.log_softmax(torch.cat(parts).float(), dim=-1)
    return tuple(
        msgspec.structs.replace(
            token,
            loss=round(-float(shares[label]), _DIGITS),
            guesses=_candidates(shares, model.labels.__getitem__),
        )
        for token, shares in zip(tokens, log_shares, strict=False)
    )


def _with_losses(loaded: LoadedModel, tokens: tuple[Token, ...], scores: Tensor) -> tuple[Token, ...]:
    """scores: (T, V)."""
    log_shares = F.log_softmax(scores.float(), dim=-1)
    if not bool(log_shares.isfinite().all()):
        raise ProbeError("the model's scores are infinite or no numbers: its weights are broken")
    return tuple(
        msgspec.structs.replace(
            token,
            loss=None if token.is_mask else round(-float(shares[token.id]), _DIGITS),
            guesses=_candidates(shares, lambda id: token_text(loaded.tokenizer, id)),
        )
        for token, shares in zip(tokens, log_shares, strict=False)
    )


def _masked_in_turn(ids: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Rows of [CLS] … [SEP] with each token hidden once, and where, a few at a time."""
    places = torch.arange(1, len(ids) + 1)
    rows = torch.tensor([CLS, *ids, SEP]).repeat(len(ids), 1)
    rows[torch.arange(len(ids)), places] = MASK
    return list(zip(torch.split(rows, _ROWS_AT_ONCE), torch.split(places, _ROWS_AT_ONCE), strict=True))


def _candidates(log_shares: Tensor, text: Callable[[int], str]) -> tuple[Candidate, ...]:
    best = log_shares.exp().topk(min(_GUESSES, len(log_shares)))
    return tuple(
        Candidate(text(id), share) for id, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )

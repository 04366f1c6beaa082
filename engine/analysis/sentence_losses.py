"""What each token of one sentence costs a model, and what it would have put there."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.analysis.predictions import label_names
from engine.analysis.subject import Subject, encode_sentence
from engine.data.special_tokens import MASK, UNK
from runs.analysis import PlaceLoss, Question, SentenceLosses
from runs.events import Candidate

_GUESSES = 5
_ROWS_AT_ONCE = 32
_DIGITS = 6


@torch.no_grad()
def analyse_sentence(subject: Subject, question: Question) -> SentenceLosses:
    """The table of one sentence, without [CLS] and [SEP]. Raises AnalysisError."""
    ids = encode_sentence(subject, question.sentence, allows_mask=False)
    if subject.task == "label":
        return _of_labels(subject, ids)
    places = range(1, len(ids) - 1)
    scores = _next_scores(subject, ids) if subject.task == "next" else _hidden_scores(subject, ids)
    log_shares = F.log_softmax(scores.float(), dim=-1)
    rows = tuple(
        PlaceLoss(
            token=subject.text(ids[place]),
            loss=round(-float(shares[ids[place]]), _DIGITS),
            is_unknown=ids[place] == UNK,
            guesses=_candidates(shares, subject.text),
        )
        for place, shares in zip(places, log_shares, strict=True)
    )
    total = sum(row.loss for row in rows)
    return SentenceLosses(
        task=subject.task,
        places=rows,
        total=round(total, _DIGITS),
        perplexity=_perplexity(total / len(rows)),
    )


def _next_scores(subject: Subject, ids: list[int]) -> Tensor:
    """(T, V): each token from what stands before it, in one pass."""
    hidden = subject.model(torch.tensor([ids]), None)[0, : len(ids) - 2]
    return subject.model.logits(hidden)


def _hidden_scores(subject: Subject, ids: list[int]) -> Tensor:
    """(T, V): each token with [MASK] in its place and all others there (Salazar et al. 2020, section 2.2)."""
    inputs, places = _masked_in_turn(ids)
    model = subject.model
    parts = [
        model.logits(model(some, None)[torch.arange(len(some)), where])
        for some, where in zip(torch.split(inputs, _ROWS_AT_ONCE), torch.split(places, _ROWS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def _of_labels(subject: Subject, ids: list[int]) -> SentenceLosses:
    """How much of the sentence's own label is lost when a token is hidden."""
    names = label_names(subject)
    whole = F.log_softmax(subject.model.classify(subject.model(torch.tensor([ids]), None)).float(), dim=-1)[0]
    label = int(whole.argmax())
    inputs, _ = _masked_in_turn(ids)
    model = subject.model
    parts = [model.classify(model(some, None)) for some in torch.split(inputs, _ROWS_AT_ONCE)]
    log_shares = F.log_softmax(torch.cat(parts).float(), dim=-1)
    rows = tuple(
        PlaceLoss(
            token=subject.text(token),
            loss=round(-float(shares[label]), _DIGITS),
            is_unknown=token == UNK,
            guesses=_candidates(shares, names.__getitem__),
        )
        for token, shares in zip(ids[1:-1], log_shares, strict=True)
    )
    return SentenceLosses(
        task="label",
        places=rows,
        total=round(-float(whole[label]), _DIGITS),
        perplexity=_perplexity(-float(whole[label])),
        guesses=_candidates(whole, names.__getitem__),
    )


def _masked_in_turn(ids: list[int]) -> tuple[Tensor, Tensor]:
    """(T, L) the sentence with each of its tokens hidden once, and (T,) where; [CLS] and [SEP] stay."""
    places = torch.arange(1, len(ids) - 1)
    inputs = torch.tensor(ids).repeat(len(places), 1)
    inputs[torch.arange(len(places)), places] = MASK
    return inputs, places


def _candidates(log_shares: Tensor, text: object) -> tuple[Candidate, ...]:
    assert callable(text)
    best = log_shares.topk(min(_GUESSES, len(log_shares)))
    return tuple(
        Candidate(str(text(index)), round(math.exp(value), _DIGITS))
        for index, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )


def _perplexity(mean_loss: float) -> float:
    return math.exp(min(mean_loss, 700.0))

"""What the embeddings know: the nearest tokens of words, and frequent tokens on a plane."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.analysis.subject import AnalysisError, Judged, Subject
from engine.data.special_tokens import UNK
from engine.data.tokenizers import encode_rows
from presets.schema import NUM_SPECIAL_TOKENS
from runs.analysis import Neighbour, Neighbours, Point, Question, WordNeighbours

_OWN_WORDS = 8
_LETTERS = 6
_DIGITS = 5


@torch.no_grad()
def analyse_neighbours(subject: Subject, question: Question, judged: Judged | None) -> Neighbours:
    """Neighbours and map. judged: None when the token cache is gone: then nothing is known of frequencies.

    Raises AnalysisError when none of the words is in the vocabulary.
    """
    embeddings = subject.model.token_embedding.weight.detach().float()
    counts = judged.token_counts if judged is not None else None
    frequent = frequent_tokens(counts, len(embeddings))
    words: list[WordNeighbours] = []
    unknown: list[str] = []
    for word in question.words or _telling_words(subject, frequent):
        ids = encode_rows(subject.tokenizer, [word])[0]
        if not ids or UNK in ids:
            unknown.append(word)
            continue
        pairs = nearest_tokens(embeddings, torch.tensor(ids), question.neighbours)
        nearest = tuple(Neighbour(subject.text(token), round(cosine, _DIGITS)) for token, cosine in pairs)
        words.append(WordNeighbours(word, tuple(subject.text(token) for token in ids), nearest))
    if unknown and not words:
        raise AnalysisError(f"not in the vocabulary: {', '.join(repr(word) for word in unknown)}")
    shown = frequent[: question.points]
    places, explained = project(embeddings[shown])
    points = tuple(
        Point(subject.text(token), int(counts[token]) if counts is not None else 0, x, y)
        for token, (x, y) in zip(shown.tolist(), places.round(decimals=_DIGITS).tolist(), strict=True)
    )
    notes = () if counts is not None else (_NO_COUNTS,)
    return Neighbours(words=tuple(words), unknown=tuple(unknown), points=points, explained=explained, notes=notes)


_NO_COUNTS = (
    "the token cache is gone, so the points are the first tokens of the vocabulary, not the most frequent ones"
)


def nearest_tokens(embeddings: Tensor, ids: Tensor, count: int) -> list[tuple[int, float]]:
    """The tokens whose embeddings point most nearly where the mean of these do, and the cosines, nearest first.

    embeddings: (V, H). ids: (n,), which are left out, as are the special tokens. Equal cosines go by id.
    """
    mean = embeddings[ids].mean(0)
    cosines = F.cosine_similarity(embeddings, mean[None], dim=-1)
    cosines[:NUM_SPECIAL_TOKENS] = -torch.inf
    cosines[ids] = -torch.inf
    best = cosines.sort(descending=True, stable=True)
    num_others = int((cosines > -torch.inf).sum())
    kept = min(count, num_others)
    return list(zip(best.indices[:kept].tolist(), best.values[:kept].tolist(), strict=True))


def project(vectors: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """(N, 2) places on the plane in which vectors (N, H) differ most, and the shares of variance along x and y.

    Principal components by singular values in float64. A component's sign is arbitrary: here its largest part is
    positive, so that the same vectors always give the same picture.
    """
    if not len(vectors):
        return torch.zeros(0, 2, dtype=torch.float64), (0.0, 0.0)
    centred = vectors.double() - vectors.double().mean(0)
    _, strengths, directions = torch.linalg.svd(centred, full_matrices=False)
    rank = min(2, len(directions))
    largest = directions[:rank].abs().argmax(dim=1, keepdim=True)
    directions = directions[:rank] * directions[:rank].gather(1, largest).sign()
    places = torch.zeros(len(vectors), 2, dtype=torch.float64)
    places[:, :rank] = centred @ directions.T
    variances = strengths.square()
    shares = [*(variances / variances.sum().clamp(min=1e-30)).tolist(), 0.0, 0.0]
    return places, (round(shares[0], _DIGITS), round(shares[1], _DIGITS))


def frequent_tokens(counts: Tensor | None, vocab_size: int) -> Tensor:
    """Ids of tokens that are no special ones, most frequent first; where it is unknown, by id."""
    ids = torch.arange(NUM_SPECIAL_TOKENS, vocab_size)
    if counts is None:
        return ids
    order = counts[ids].sort(descending=True, stable=True)
    return ids[order.indices][order.values > 0]


def _telling_words(subject: Subject, frequent: Tensor) -> tuple[str, ...]:
    """Frequent tokens that are words of some length: what one would ask for."""
    found: list[str] = []
    for token in frequent.tolist():
        text = subject.text(token)
        if len(text) >= _LETTERS and text.isalpha() and text not in found:
            found.append(text)
        if len(found) == _OWN_WORDS:
            break
    return tuple(found)

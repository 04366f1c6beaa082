"""Analyses of a checkpoint: what is asked, and what the answers look like.

`runs.analysis_process` has them made, `runs.analysis_files` keeps and finds them.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from runs.events import Candidate

Kind = Literal["attention", "neighbours", "token-losses", "sentence-losses", "calibration"]
Task = Literal["masked", "next", "label"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OF_A_SENTENCE: frozenset[Kind] = frozenset({"attention", "sentence-losses"})
OF_THE_DATA: frozenset[Kind] = frozenset({"neighbours", "token-losses", "calibration"})

_MOST_CHARACTERS = 20_000
_MOST_WORDS = 100


class Question(msgspec.Struct, frozen=True):
    """What an analysis is to look at; each kind uses some of it.

    words: whose neighbours are wanted; frequent ones when empty. neighbours: how many of each. points: tokens of
    the projection. most: how many of the easiest, and of the hardest, tokens. min_count: predictions a token needs
    to be in that table. bins: of the reliability diagram.
    """

    sentence: str = ""
    words: tuple[str, ...] = ()
    neighbours: int = 10
    points: int = 300
    most: int = 10
    min_count: int = 5
    bins: int = 15

    def of(self, kind: Kind) -> Question:
        """The same with nothing but what this kind uses."""
        return Question(**{name: getattr(self, name) for name in _USED[kind]})

    def problem(self, kinds: tuple[Kind, ...]) -> str:
        """What is wrong with it, in a sentence, or nothing."""
        lacking = [kind for kind in kinds if kind in OF_A_SENTENCE and not self.sentence.strip()]
        if lacking:
            return f"{lacking[0]} needs a sentence"
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                return f"{name}: {value} is not between {low} and {high}"
        if len(self.words) > _MOST_WORDS:
            return f"{len(self.words)} words are more than {_MOST_WORDS}"
        for text in (self.sentence, *self.words):
            if len(text) > _MOST_CHARACTERS:
                return f"{text[:40]!r}… has {len(text):,} characters, more than {_MOST_CHARACTERS:,}"
            if "\0" in text or not _is_unicode(text):
                return f"{text[:80]!r} holds characters that are no text"
        return ""


_USED: dict[Kind, tuple[str, ...]] = {
    "attention": ("sentence",),
    "neighbours": ("words", "neighbours", "points"),
    "token-losses": ("most", "min_count"),
    "sentence-losses": ("sentence",),
    "calibration": ("bins",),
}
BOUNDS = {
    "neighbours": (1, 1000),
    "points": (3, 20_000),
    "most": (1, 10_000),
    "min_count": (1, 10**9),
    "bins": (2, 100),
}


class _Result(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True):
    """checkpoint, step: of what. manifest: SHA-256 of its manifest. data: fingerprint of the tokens it read.

    notes: plain sentences a reader should know. seconds: that it took.
    """

    question: Question = Question()
    checkpoint: str = ""
    step: int = 0
    manifest: str = ""
    data: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Attention(_Result, frozen=True, tag="attention"):
    """Who looks where. weights: (layers, heads, T, T), row t is what token t looks at, and sums to 1.

    entropies: (layers, heads) nats, mean over the rows: 0 looks at one token, ln(T) at all alike.
    """

    tokens: tuple[str, ...]
    num_unknown: int
    weights: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
    entropies: tuple[tuple[float, ...], ...]


class Neighbour(msgspec.Struct, frozen=True):
    """A token and the cosine of the angle between its embedding and the word's, −1 to 1."""

    token: str
    similarity: float


class WordNeighbours(msgspec.Struct, frozen=True):
    """The nearest tokens of a word, nearest first. tokens: that it is made of; their mean is what is compared."""

    word: str
    tokens: tuple[str, ...]
    nearest: tuple[Neighbour, ...]


class Point(msgspec.Struct, frozen=True):
    """A token on the plane in which the embeddings differ most. count: in the training split, 0 if unknown."""

    token: str
    count: int
    x: float
    y: float


class Neighbours(_Result, frozen=True, tag="neighbours"):
    """Neighbours of words, and a map of frequent tokens. unknown: words that are not in the vocabulary.

    explained: share of the points' variance along x and along y.
    """

    words: tuple[WordNeighbours, ...]
    unknown: tuple[str, ...]
    points: tuple[Point, ...]
    explained: tuple[float, float]


class TokenLoss(msgspec.Struct, frozen=True):
    """How well one token (or label) is predicted. loss: mean nats. accuracy: share that was guessed right."""

    token: str
    count: int
    loss: float
    accuracy: float


class TokenLosses(_Result, frozen=True, tag="token-losses"):
    """Mean losses by token over the frozen evaluation of the validation split.

    num_tokens: different tokens that were predicted; num_counted: those with at least min_count predictions, from
    which `best` (least loss first) and `worst` (greatest first) are taken.
    """

    task: Task
    num_sequences: int
    num_predictions: int
    num_tokens: int
    num_counted: int
    loss: float
    accuracy: float
    best: tuple[TokenLoss, ...]
    worst: tuple[TokenLoss, ...]


class PlaceLoss(msgspec.Struct, frozen=True):
    """One token of a sentence. guesses: what the model would have put there, most probable first."""

    token: str
    loss: float
    is_unknown: bool
    guesses: tuple[Candidate, ...]


class SentenceLosses(_Result, frozen=True, tag="sentence-losses"):
    """What each token of a sentence costs, in nats.

    masked: each hidden in turn, the others there (pseudo-log-likelihood, Salazar et al. 2020). next: from what
    stands before it. label: what the sentence's own label costs when this token is hidden.
    total: sum of the losses; perplexity: exp(mean). guesses: of the whole sentence, for labels.
    """

    task: Task
    places: tuple[PlaceLoss, ...]
    total: float
    perplexity: float
    guesses: tuple[Candidate, ...] = ()


class Bin(msgspec.Struct, frozen=True):
    """Predictions whose confidence lies in (low, high]. confidence, accuracy: their means; 0 of none."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Calibration(_Result, frozen=True, tag="calibration"):
    """Whether the model is right as often as it is sure.

    ece: expected calibration error, the mean of |accuracy − confidence| over bins of equal width, each weighed by
    its predictions (Guo et al. 2017, section 2). largest_gap: of the bins with at least 1 % of the predictions.
    """

    task: Task
    num_sequences: int
    num_predictions: int
    bins: tuple[Bin, ...]
    ece: float
    largest_gap: float
    confidence: float
    accuracy: float


Result = Attention | Neighbours | TokenLosses | SentenceLosses | Calibration


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

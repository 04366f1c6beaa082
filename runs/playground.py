"""What a playground is asked and what it answers: the JSON lines of `python -m engine.playground`.

A request names a checkpoint of a run, a text, and which views of it are wanted. One that is not wanted any more,
since a newer one of the same slot came, is dropped without an answer.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from runs.analysis import Neighbour as Neighbour
from runs.analysis import WordNeighbours as WordNeighbours
from runs.events import Candidate, ProbeResult

View = Literal["predict", "likely", "losses", "attention", "neighbours"]
VIEWS: tuple[View, ...] = get_args(View)

MOST_SHOWN = 100
MOST_CHARACTERS = 20_000


class Request(msgspec.Struct, frozen=True):
    """A text for a checkpoint. checkpoint: last, best, a step or a name. top_k: words shown for each mask.

    views: what is wanted of it: `predict` what the objective taught (a causal model goes on for new_tokens),
    `likely` the same but for causal models, of which it is the next token; `losses` what each token costs;
    `attention` of a layer and a head (from 1); `neighbours` of a word. The five from new_tokens to seed are for
    causal models; None is as in the run's settings. id: given back. slot: of two waiting requests of one slot the
    older is dropped. stream: say the text as it grows.
    """

    run: str
    text: str = ""
    checkpoint: str = "last"
    top_k: int = 5
    new_tokens: int | None = None
    temperature: float | None = None
    sample_top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    views: tuple[View, ...] = ("predict",)
    layer: int = 1
    head: int = 1
    word: str = ""
    neighbours: int = 10
    id: int = 0
    slot: str = ""
    stream: bool = False


class Token(msgspec.Struct, frozen=True):
    """A token of the text, and what the tokenizer did. piece: the characters it was made of, at start to end.

    begins_word: None where the vocabulary does not tell. loss: nats; None where nothing is to be predicted.
    guesses: what the model would have put there, likeliest first.
    """

    token: str
    id: int
    piece: str
    start: int
    end: int
    is_unknown: bool = False
    is_mask: bool = False
    begins_word: bool | None = None
    loss: float | None = None
    guesses: tuple[Candidate, ...] = ()


class AttentionMap(msgspec.Struct, frozen=True):
    """Who looks where in one head. tokens: with [CLS] and [SEP]. weights: (T, T), row t sums to 1.

    entropies: (layers, heads) nats, mean over the rows: 0 looks at one token, ln(T) at all alike.
    """

    layer: int
    head: int
    tokens: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    entropies: tuple[tuple[float, ...], ...]


class Answer(msgspec.Struct, frozen=True, tag="answer", tag_field="said"):
    """What the model makes of it. checkpoint, step: of what. note: such as that an older checkpoint had to do.

    objective: its kind. length: tokens the model takes, [CLS] and [SEP] included. tokens: of the text, without
    those two. next: candidates of a causal model's next token. num_unknown: of the text. loss_of: what `losses`
    cost: each token hidden in turn, the next token, or the label of the whole text with the token hidden.
    problems: why a view has no answer, by the view. seconds: that the answer took, load_s: of these for reading.
    """

    probes: tuple[ProbeResult, ...] = ()
    checkpoint: str = ""
    step: int = 0
    note: str = ""
    objective: str = ""
    length: int = 0
    vocab_size: int = 0
    num_unknown: int = 0
    tokens: tuple[Token, ...] = ()
    next: tuple[Candidate, ...] = ()
    loss_of: Literal["", "masked", "next", "label"] = ""
    attention: AttentionMap | None = None
    nearest: WordNeighbours | None = None
    problems: dict[str, str] = {}
    seconds: float = 0.0
    load_s: float = 0.0
    id: int = 0
    slot: str = ""


class Refusal(msgspec.Struct, frozen=True, tag="refusal", tag_field="said"):
    """Why there is no answer at all. report: the traceback of a defect of ours."""

    error: str
    id: int = 0
    slot: str = ""
    report: str = ""


class Piece(msgspec.Struct, frozen=True, tag="piece", tag_field="said"):
    """A causal model has written so far; the whole text, not what was added."""

    generated: str
    id: int = 0
    slot: str = ""


class Ready(msgspec.Struct, frozen=True, tag="ready", tag_field="said"):
    """The process has started; it reads a model when one is asked for."""


class Loading(msgspec.Struct, frozen=True, tag="loading", tag_field="said"):
    """A model is being read, which may take a while. num_bytes: of its weights."""

    checkpoint: str
    num_bytes: int = 0
    id: int = 0
    slot: str = ""


Reply = Answer | Refusal
Said = Answer | Refusal | Piece | Ready | Loading
said_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)

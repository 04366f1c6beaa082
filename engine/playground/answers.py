"""Answers requests, one after the other: each view that was asked for, or a sentence on why there is none."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch

from engine.checkpoints import CheckpointError
from engine.data.special_tokens import CLS, MASK, SEP, SPECIAL_TOKENS, UNK
from engine.data.tokenizers import encode_rows, token_text
from engine.generation import NotFinite, Sampling, continuation, generate
from engine.loaded_model import LoadedModel
from engine.playground.shelf import Shelf
from engine.playground.tokens import Encoded, encode, judged, listed, require_room
from engine.probes import ProbeError, probe
from presets.config import ConfigError, with_values
from presets.fields import Value
from presets.schema import MASK_TOKEN, RunConfig
from runs.events import Candidate, ProbeResult
from runs.folder import RunFolder
from runs.playground import (
    MOST_CHARACTERS,
    MOST_SHOWN,
    Answer,
    AttentionMap,
    Loading,
    Neighbour,
    Piece,
    Refusal,
    Reply,
    Request,
    Said,
    View,
    WordNeighbours,
)

_MISTAKES = (CheckpointError, ConfigError, ProbeError, OSError, ValueError)
_MOST_ATTENDED = 256
_LARGE = 200_000_000  # bytes of weights, from where on more threads pay
_MOST_NEIGHBOURS = 100
_DIGITS = 4
_SAMPLING = ("new_tokens", "temperature", "sample_top_k", "top_p", "seed")


class Superseded(Exception):
    """Nobody wants the answer any more."""


def _always() -> None:
    """Everything is wanted to its end."""


@dataclass
class Wishes:
    """To whom a request in work speaks. still_wanted: raises Superseded. say: takes what precedes the answer."""

    still_wanted: Callable[[], None] = _always
    say: Callable[[Said], None] = lambda said: None


@dataclass
class _Work:
    """One request in work, and its answer so far."""

    request: Request
    loaded: LoadedModel
    encoded: Encoded
    wishes: Wishes
    parts: dict[str, object] = field(default_factory=dict)


class Answerer:
    """Holds the loaded models, and the attention of the text that was looked at last."""

    def __init__(self, shelf: Shelf | None = None, *, chooses_threads: bool = False) -> None:
        """chooses_threads: set how many threads the process computes with, by the size of the model."""
        self._shelf = Shelf() if shelf is None else shelf
        self._chooses_threads = chooses_threads
        self._attention: tuple[LoadedModel, list[int], torch.Tensor] | None = None

    def answer(self, request: Request, wishes: Wishes | None = None) -> Reply:
        """Every mistake becomes a Refusal with a sentence. Raises Superseded, and what a defect of ours raises."""
        wishes = wishes or Wishes()
        began = time.monotonic()
        try:
            if len(request.text) > MOST_CHARACTERS:
                raise ValueError(f"the text has {len(request.text):,} characters, more than {MOST_CHARACTERS:,}")
            loaded = self._find(request, wishes)
            load_s = time.monotonic() - began
            work = _Work(request, loaded, encode(loaded, request.text), wishes)
            problems = self._look(work)
        except _MISTAKES as error:
            return Refusal(str(error) or type(error).__name__, request.id, request.slot)
        # who looks at likely words while typing has a text that is not finished, and wants its tokens all the same
        if problems and len(problems) == len(request.views) == 1 and "likely" not in problems:
            return Refusal(next(iter(problems.values())), request.id, request.slot)
        answer = Answer(
            checkpoint=loaded.name,
            step=loaded.step,
            note=loaded.note,
            objective=loaded.config.objective.kind,
            length=loaded.model.length,
            vocab_size=loaded.model.vocab_size,
            num_unknown=work.encoded.num_unknown,
            problems=problems,
            seconds=round(time.monotonic() - began, 6),
            load_s=round(load_s, 6),
            id=request.id,
            slot=request.slot,
        )
        if "tokens" not in work.parts:
            work.parts["tokens"] = listed(loaded, work.encoded)
        return msgspec.structs.replace(answer, **work.parts)

    def _find(self, request: Request, wishes: Wishes) -> LoadedModel:
        def loading(name: str, num_bytes: int) -> None:
            wishes.say(Loading(name, num_bytes, request.id, request.slot))

        loaded = self._shelf.find(RunFolder(Path(request.run)), request.checkpoint, loading)
        if self._chooses_threads:  # where others compute, two threads wait for each other longer than one needs
            torch.set_num_threads(1 if loaded.num_bytes < _LARGE else max(1, min(4, (os.cpu_count() or 1) // 2)))
        return loaded

    def _look(self, work: _Work) -> dict[str, str]:
        """Make each view; what is wrong with those that cannot be had."""
        views: dict[View, Callable[[_Work], None]] = {
            "predict": _predict,
            "likely": _likely,
            "losses": _losses,
            "attention": self._attend,
            "neighbours": _neighbours,
        }
        problems: dict[str, str] = {}
        for view in dict.fromkeys(work.request.views):
            work.wishes.still_wanted()
            try:
                views[view](work)
            except _MISTAKES as error:
                problems[view] = str(error) or type(error).__name__
        return problems

    @torch.no_grad()
    def _attend(self, work: _Work) -> None:
        from engine.analysis.attention import attention_weights

        loaded, request = work.loaded, work.request
        size = loaded.config.model
        require_room(loaded, len(work.encoded.ids))
        if len(work.encoded.ids) > _MOST_ATTENDED:
            raise ProbeError(
                f"the map of {len(work.encoded.ids):,} tokens is not drawn; take at most {_MOST_ATTENDED}"
            )
        if not (1 <= request.layer <= size.num_layers and 1 <= request.head <= size.num_heads):
            raise ProbeError(
                f"there is no head {request.layer}.{request.head}: the model has layers 1 to {size.num_layers} "
                f"with heads 1 to {size.num_heads}"
            )
        ids = [CLS, *work.encoded.ids, *([] if loaded.config.objective.is_causal else [SEP])]
        if self._attention is None or self._attention[0] is not loaded or self._attention[1] != ids:
            try:
                self._attention = (loaded, ids, attention_weights(loaded.model, ids))
            except RuntimeError as error:
                raise ProbeError(f"the attention cannot be told: {error}") from error
        weights = self._attention[2]
        entropies = torch.special.entr(weights.double()).sum(-1).mean(-1)
        work.parts["attention"] = AttentionMap(
            layer=request.layer,
            head=request.head,
            tokens=tuple(token_text(loaded.tokenizer, id) for id in ids),
            weights=_rounded(weights[request.layer - 1, request.head - 1]),
            entropies=_rounded(entropies),
        )


def _predict(work: _Work) -> None:
    loaded, request = work.loaded, work.request
    config = _as_asked(loaded.config, request)
    if config.objective.kind == "clm" and request.stream:
        work.parts["probes"] = (_written_on(work, config),)
    else:
        work.parts["probes"] = (probe(loaded.model, loaded.tokenizer, request.text, config),)


def _written_on(work: _Work, config: RunConfig) -> ProbeResult:
    """How a causal model goes on, said as it grows."""
    loaded, request, ids = work.loaded, work.request, work.encoded.ids
    if MASK in ids:
        raise ProbeError(f"a causal model goes on from a beginning, and fills no {MASK_TOKEN}")
    if len(ids) + 2 > loaded.model.length:
        raise ProbeError(
            f"the beginning has {len(ids) + 1} tokens, and the model takes {loaded.model.length}, "
            "with what it adds"
        )
    probes = config.probes
    sampling = Sampling(probes.new_tokens, probes.temperature, probes.sample_top_k, probes.top_p, probes.seed)

    def each(new: list[int]) -> None:
        work.wishes.still_wanted()
        work.wishes.say(Piece(continuation(loaded.tokenizer, ids, new), request.id, request.slot))

    try:
        new = generate(loaded.model, [CLS, *ids], sampling, each)
    except NotFinite:
        raise ProbeError("the model's scores are infinite or no numbers: its weights are broken") from None
    generated = continuation(loaded.tokenizer, ids, new)
    return ProbeResult(text=request.text, masks=(), num_unknown=ids.count(UNK), generated=generated)


@torch.no_grad()
def _likely(work: _Work) -> None:
    loaded, ids = work.loaded, work.encoded.ids
    if loaded.config.objective.kind != "clm":
        _predict(work)
        return
    if MASK in ids:
        raise ProbeError(f"a causal model goes on from a beginning, and fills no {MASK_TOKEN}")
    if len(ids) + 1 > loaded.model.length:
        raise ProbeError(
            f"the text has {len(ids) + 1:,} tokens with [CLS], and the model takes {loaded.model.length:,}"
        )
    hidden = loaded.model(torch.tensor([[CLS, *ids]]), None)[0, -1]
    shares = torch.softmax(loaded.model.logits(hidden).float(), dim=-1)
    if not bool(shares.isfinite().all()):
        raise ProbeError("the model's scores are infinite or no numbers: its weights are broken")
    best = shares.topk(min(_shown(work.request), len(shares)))
    work.parts["next"] = tuple(
        Candidate(token_text(loaded.tokenizer, id), share)
        for id, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )


def _losses(work: _Work) -> None:
    loaded = work.loaded
    tokens = listed(loaded, work.encoded)
    work.parts["tokens"] = judged(loaded, work.encoded, tokens, work.wishes.still_wanted)
    kind = loaded.config.objective.kind
    work.parts["loss_of"] = {"clm": "next", "classification": "label"}.get(kind, "masked")


@torch.no_grad()
def _neighbours(work: _Work) -> None:
    from engine.analysis.neighbours import nearest_tokens

    loaded, request = work.loaded, work.request
    word = request.word.strip()
    if not word:
        raise ProbeError("no word was named whose neighbours could be told")
    ids = _ids_of(loaded, word)
    if not ids or (UNK in ids and word not in SPECIAL_TOKENS):
        raise ProbeError(f"{word!r} is not in the vocabulary of {loaded.model.vocab_size:,} tokens")
    embeddings = loaded.model.token_embedding.weight.detach().float()
    count = max(1, min(request.neighbours, _MOST_NEIGHBOURS))
    pairs = nearest_tokens(embeddings, torch.tensor(ids), count)
    nearest = tuple(Neighbour(token_text(loaded.tokenizer, id), round(cosine, _DIGITS)) for id, cosine in pairs)
    work.parts["nearest"] = WordNeighbours(word, tuple(token_text(loaded.tokenizer, id) for id in ids), nearest)


def _ids_of(loaded: LoadedModel, word: str) -> list[int]:
    """The tokens of a word; also of one that is written as the lists show it, such as `…ing`."""
    if word in SPECIAL_TOKENS:
        return [SPECIAL_TOKENS.index(word)]
    (ids,) = encode_rows(loaded.tokenizer, [word])
    if word.startswith("…") and len(word) > 1:
        part = word[1:]
        found = loaded.tokenizer.token_to_id("##" + part)
        found = loaded.tokenizer.token_to_id(part) if found is None else found
        return ids if found is None else [found]
    return ids


def _shown(request: Request) -> int:
    return max(1, min(request.top_k, MOST_SHOWN))


def _as_asked(config: RunConfig, request: Request) -> RunConfig:
    """The run's settings with those of the request. Raises ConfigError for one that is out of bounds."""
    asked: dict[str, Value] = {"probes.top_k": _shown(request)}
    for name in _SAMPLING:
        value = getattr(request, name)
        if value is not None:
            asked[f"probes.{name}"] = value
    return with_values(config, asked)


def _rounded(values: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(value, _DIGITS) for value in row) for row in values.tolist())


def defect(request: Request, error: Exception) -> Refusal:
    """What is said of a mistake of ours; the process goes on."""
    words = f"a defect of ours: {type(error).__name__}: {error}"
    return Refusal(words, request.id, request.slot, traceback.format_exc())

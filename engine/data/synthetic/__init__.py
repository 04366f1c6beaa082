"""Synthetic grammars: text without end whose every word has an exactly known probability."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.documents import DataError, DocumentLabels, Rows, usable_rows
from engine.data.hashing import sample_keys, scalar_seed
from engine.data.masking import IGNORED
from engine.data.synthetic.arithmetic import arithmetic_grammar
from engine.data.synthetic.automaton import Automaton, draw
from engine.data.synthetic.chains import markov_grammar, random_grammar
from engine.data.synthetic.posterior import HIDDEN, hidden_losses
from engine.data.synthetic.templates import read_slots, template_grammar
from engine.data.tokenizers import SEP
from presets.grammars import ARITHMETIC_LEVELS, GRAMMARS, MARKOV_LEVELS, grammar_facts
from presets.schema import NUM_SPECIAL_TOKENS, DataConfig

_SENTENCES_AT_ONCE = 1024
_DRAW_SEED = 0x6A33


@dataclass(frozen=True)
class GrammarDocuments:
    """Sentences of a grammar; sentence i is a function of (split_seed, i). A sentence is a document of one row.

    Sentences are drawn independently, so one may come again. The split goes by the hash of the text and keeps all
    copies on one side; a sentence of the validation split is never one that was trained on. That leaves the floor
    as it is: which sentences are held back has nothing to do with what they say. Dropping copies would not, it
    makes frequent sentences rarer than the grammar says (presets/rules.py forbids it).
    """

    data: DataConfig
    automaton: Automaton
    num_documents: int
    commit: str = ""
    labels: DocumentLabels | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return self.automaton.words

    def read(self, first: int = 0) -> Iterator[Rows]:
        """Sentences from number `first` on."""
        seed = scalar_seed(_DRAW_SEED, self.data.split_seed)
        for block in range(first, self.num_documents, _SENTENCES_AT_ONCE):
            indices = torch.arange(block, min(block + _SENTENCES_AT_ONCE, self.num_documents))
            for sentence in draw(self.automaton, sample_keys(seed, torch.zeros_like(indices), indices)):
                text = " ".join(self.words[word] for word in sentence)
                yield usable_rows(iter([text]), self.data)


def open_grammar(data: DataConfig) -> GrammarDocuments:
    """The sentences of the grammar that `data.dataset` names. Raises DataError when there is no such grammar."""
    automaton = grammar(data)
    return GrammarDocuments(data, automaton, data.max_samples or grammar_facts(data).default_sentences)


@functools.lru_cache(maxsize=8)
def grammar(data: DataConfig) -> Automaton:
    """The grammar itself. Raises DataError when there is none of that name."""
    level = data.difficulty - 1
    match data.dataset:
        case "templates":
            return template_grammar(read_slots(), data.difficulty)
        case "arithmetic":
            return arithmetic_grammar(ARITHMETIC_LEVELS[level])
        case "markov":
            return markov_grammar(MARKOV_LEVELS[level], data.markov_order, data.split_seed)
        case "random":
            return random_grammar(data.vocab_size - NUM_SPECIAL_TOKENS)
    raise DataError(f"{data.dataset!r} is not a grammar; there is {', '.join(GRAMMARS)}")


def exact_losses(data: DataConfig, tokens: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """What each prediction costs a model that knows the grammar: −ln P(target | all words that are not hidden).

    tokens: (R, L) ids, `[CLS] … [SEP] [PAD] …`, hidden or not at the positions asked for. positions, targets:
    (R, M), targets IGNORED where a row has fewer. Returns (N,) float64 nats on the CPU, in the order of the real
    targets.
    The expectation is the grammar's conditional entropy, which no model can be below in expectation.
    Raises ValueError for a row that is no sentence of the grammar (a piece of one, or one with [UNK] in it).
    """
    automaton = grammar(data)
    tokens, positions, targets = tokens.cpu(), positions.cpu(), targets.cpu()
    is_asked = targets != IGNORED
    rows = is_asked.nonzero()[:, 0]
    places = positions[is_asked]
    seen = tokens - NUM_SPECIAL_TOKENS
    seen[rows, places] = HIDDEN
    asked = torch.full_like(seen, HIDDEN)
    asked[rows, places] = targets[is_asked] - NUM_SPECIAL_TOKENS
    lengths = (tokens == SEP).int().argmax(1) - 1
    position = torch.arange(tokens.shape[1])
    is_word = (position >= 1) & (position <= lengths[:, None])
    is_asked_place = asked != HIDDEN
    is_foreign = is_word & ((~is_asked_place & (seen < 0)) | (seen >= len(automaton.words)))
    if bool(is_foreign.any()) or bool((asked < HIDDEN).any()) or bool((asked >= len(automaton.words)).any()):
        raise ValueError("a row has a token that is no word of this grammar")
    losses = torch.zeros(seen.shape, dtype=torch.float64)
    for length in sorted(set(lengths.tolist())):
        same = (lengths == length).nonzero()[:, 0]
        inside = slice(1, length + 1)
        losses[same, inside] = hidden_losses(automaton, seen[same, inside], asked[same, inside])
    return losses[rows, places]

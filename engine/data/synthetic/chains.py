"""Markov chains of a known order over a few colours, and evenly drawn words, which nothing can be learnt from."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator

import torch
from torch import Tensor

from engine.data.hashing import scalar_seed
from engine.data.synthetic.automaton import Arc, Automaton, explore
from presets.grammars import MARKOV_LENGTH, MARKOV_WORDS, RANDOM_LENGTH, MarkovShape

_TABLE_SEED = 0x3A2C
_LEAST = 1e-3  # share of every word in every row, so that the chain cannot get stuck
_CONSONANTS, _VOWELS = "bdfghjklmnpqrstvwxzc", "aeiou"


def transition_table(shape: MarkovShape, order: int, seed: int) -> Tensor:
    """(words, …, words) float64 with order + 1 axes: how likely the last is after the others. A seed, a draw."""
    generator = torch.Generator().manual_seed(scalar_seed(_TABLE_SEED, seed, order, shape.num_words))
    sizes = (shape.num_words,) * (order + 1)
    # a gamma variate of small shape is one of shape + 1, times a power of a uniform one (Marsaglia & Tsang 2000)
    concentrations = torch.full(sizes, shape.concentration + 1, dtype=torch.float64)
    gammas = torch._standard_gamma(concentrations, generator=generator)
    uniforms = torch.rand(sizes, generator=generator, dtype=torch.float64).clamp(min=1e-300)
    drawn = gammas * uniforms ** (1 / shape.concentration)
    rows = drawn / drawn.sum(-1, keepdim=True)
    return (rows + _LEAST) / (1 + _LEAST * shape.num_words)


def stationary(table: Tensor) -> Tensor:
    """(words, …, words) with one axis fewer: how often each context occurs in a sequence without beginning."""
    order, num_words = table.dim() - 1, table.shape[0]
    share = torch.full(table.shape[:-1], float(num_words**-order), dtype=torch.float64)
    for _ in range(100_000):
        following = (share[..., None] * table).sum(0)
        if float((following - share).abs().max()) < 1e-15:
            break
        share = following
    return share / share.sum()


def markov_grammar(shape: MarkovShape, order: int, seed: int, length: int = MARKOV_LENGTH) -> Automaton:
    """A stretch of `length` words out of an endless chain."""
    table = transition_table(shape, order, seed)
    nested = table.tolist()
    starts = stationary(table)
    begun = [
        starts.sum(dim=tuple(range(known + 1, order))) if known + 1 < order else starts for known in range(order)
    ]

    def arcs_of(state: Hashable) -> Iterator[Arc]:
        context: tuple[int, ...] = state  # type: ignore[assignment]
        if len(context) < order:
            shares = begun[len(context)][context]
            chances: list[float] = (shares / shares.sum()).tolist()
        else:
            row = nested
            for word in context:
                row = row[word]
            chances = row
        for word, chance in enumerate(chances):
            yield (word, chance, (*context, word)[-order:])

    words = MARKOV_WORDS[: shape.num_words]
    return explore((), arcs_of, words, torch.eye(len(words), dtype=torch.float64), num_steps=length)


def random_grammar(num_words: int, length: int = RANDOM_LENGTH) -> Automaton:
    """Words drawn evenly, whatever stands beside them: the floor is ln(num_words) for every one of them."""
    emissions = torch.full((1, num_words), 1 / num_words, dtype=torch.float64)
    return explore(0, lambda state: [(0, 1.0, state)], syllable_words(num_words), emissions, num_steps=length)


def syllable_words(count: int) -> tuple[str, ...]:
    """Pronounceable words that differ, at most a million: `baba`, `beba`, …"""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    num_syllables = 2 if count <= len(syllables) ** 2 else 3
    combinations = itertools.product(syllables, repeat=num_syllables)
    return tuple("".join(reversed(parts)) for parts in itertools.islice(combinations, count))

"""A grammar as a weighted finite automaton: sentences are drawn from it, and their exact floor follows from it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.hashing import position_keys

Arc = tuple[int, float, Hashable]
"""(slot whose words are emitted, probability, state that follows; None ends the sentence)."""

_ARC, _WORD = 1, 2  # streams of randomness


@dataclass(frozen=True)
class Automaton:
    """Arcs between states; every arc emits one word of a slot. State 0 is the start.

    words: the vocabulary, in the order of its tokens. source, target, slot: (A,) int64, sorted by source.
    probability: (A,) float64; sums to 1 over the arcs of a source. emissions: (slots, words) float64, rows sum
    to 1. is_end: (S,) a sentence may end here. num_steps: the length of every sentence, where it is fixed; else a
    sentence ends in the first end state. places: of a sentence of n words, where in the text each step stands.
    """

    words: tuple[str, ...]
    source: Tensor
    target: Tensor
    slot: Tensor
    probability: Tensor
    emissions: Tensor
    is_end: Tensor
    num_steps: int | None = None
    places: Callable[[int], list[int]] | None = None

    @property
    def num_states(self) -> int:
        return len(self.is_end)

    def order(self, length: int) -> Tensor:
        """(length,) places in the text of the automaton's steps."""
        return torch.tensor(self.places(length) if self.places is not None else range(length), dtype=torch.int64)


def explore(
    start: Hashable,
    arcs_of: Callable[[Hashable], Iterable[Arc]],
    words: tuple[str, ...],
    emissions: Tensor,
    num_steps: int | None = None,
    places: Callable[[int], list[int]] | None = None,
) -> Automaton:
    """Number every state that can be reached from the start. With `num_steps`, a sentence may end in any state."""
    numbers: dict[Hashable, int] = {start: 0}
    rows: list[tuple[int, int, int, float]] = []
    states = [start]
    for state in states:  # grows while it is walked
        if state is None:
            continue
        for slot, probability, following in arcs_of(state):
            if following not in numbers:
                numbers[following] = len(states)
                states.append(following)
            rows.append((numbers[state], numbers[following], slot, probability))
    source, target, slots, probabilities = zip(*rows, strict=True)
    ends = [num_steps is not None or state is None for state in states]
    return Automaton(
        words=words,
        source=torch.tensor(source),
        target=torch.tensor(target),
        slot=torch.tensor(slots),
        probability=torch.tensor(probabilities, dtype=torch.float64),
        emissions=emissions,
        is_end=torch.tensor(ends),
        num_steps=num_steps,
        places=places,
    )


def draw(automaton: Automaton, keys: Tensor) -> list[list[int]]:
    """Word numbers of a sentence for each key, in the order of the text. keys: (N,) int64, from `sample_keys`."""
    steps, lengths = _walk(automaton, keys)
    sentences: list[list[int]] = [[]] * len(keys)
    for length in set(lengths.tolist()):
        same = (lengths == length).nonzero()[:, 0]
        texts = torch.empty(len(same), length, dtype=torch.int64)
        texts[:, automaton.order(length)] = steps[same, :length]
        for number, text in zip(same.tolist(), texts.tolist(), strict=True):
            sentences[number] = text
    return sentences


def _walk(automaton: Automaton, keys: Tensor) -> tuple[Tensor, Tensor]:
    """(N, T) words in the automaton's order, and (N,) lengths."""
    choose_arc = _Chooser(automaton.source, automaton.probability, automaton.num_states)
    pairs = automaton.emissions.nonzero()
    choose_word = _Chooser(pairs[:, 0], automaton.emissions[pairs[:, 0], pairs[:, 1]], len(automaton.emissions))
    states = torch.zeros_like(keys)
    lengths = torch.zeros_like(keys)
    steps: list[Tensor] = []
    alive = torch.ones_like(keys, dtype=torch.bool)
    arc_keys, word_keys = position_keys(keys, 1, _ARC)[:, 0], position_keys(keys, 1, _WORD)[:, 0]
    while bool(alive.any()):
        chance = position_keys(arc_keys, 1, len(steps))[:, 0].double() / float(1 << 63)
        arcs = torch.zeros_like(states)
        arcs[alive] = choose_arc(states[alive], chance[alive])
        chance = position_keys(word_keys, 1, len(steps))[:, 0].double() / float(1 << 63)
        steps.append(pairs[choose_word(automaton.slot[arcs], chance), 1])
        states = torch.where(alive, automaton.target[arcs], states)
        lengths += alive
        if automaton.num_steps is None:
            alive = alive & ~automaton.is_end[states]
        else:
            alive = alive & (len(steps) < automaton.num_steps)
    return torch.stack(steps, dim=1), lengths


class _Chooser:
    """Draws from many small distributions at once: entries belong to groups and are sorted by them."""

    def __init__(self, groups: Tensor, weights: Tensor, num_groups: int) -> None:
        counts = torch.bincount(groups, minlength=num_groups)
        self._ends = counts.cumsum(0)
        self._firsts = self._ends - counts
        self._sums = torch.cat([torch.zeros(1, dtype=torch.float64), weights.cumsum(0)])

    def __call__(self, groups: Tensor, chance: Tensor) -> Tensor:
        """(N,) entries. groups: (N,). chance: (N,) in 0 … 1."""
        low, high = self._sums[self._firsts[groups]], self._sums[self._ends[groups]]
        found = torch.searchsorted(self._sums, low + chance * (high - low), right=True) - 1
        return torch.minimum(torch.maximum(found, self._firsts[groups]), self._ends[groups] - 1)

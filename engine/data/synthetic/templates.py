"""Template sentences: article, adjective, noun, verb, adverb, with more rules at every level of difficulty."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from importlib import resources
from typing import Any

import torch

from engine.data.synthetic.automaton import Arc, Automaton, explore

Slots = dict[str, tuple[str, ...]]
"""The words of each slot, commonest first: `article`, `noun person`, … as the headings of words.txt."""

_CLASSES = ("person", "animal", "object", "nature")
_PRONOUN = {
    "person": "pronoun person",
    "animal": "pronoun thing",
    "object": "pronoun thing",
    "nature": "pronoun thing",
}
_AGREEMENT, _LENGTHS, _ZIPF, _CLAUSES = 2, 3, 4, 5  # the levels at which these rules set in


def read_slots() -> Slots:
    """The lists of words.txt."""
    slots: Slots = {}
    heading = ""
    for line in resources.files("engine.data.synthetic").joinpath("words.txt").read_text("utf-8").splitlines():
        if line.endswith(":"):
            heading = line.removesuffix(":")
        elif line and not line.startswith("#"):
            slots[heading] = (*slots.get(heading, ()), *line.split())
    return slots


def template_grammar(slots: Slots, difficulty: int) -> Automaton:
    """The grammar of `presets.grammars.TEMPLATE_LEVELS`. The vocabulary is the same at every level."""
    words = tuple(word for group in slots.values() for word in group)
    emissions = torch.zeros(len(slots), len(words), dtype=torch.float64)
    first = 0
    for number, group in enumerate(slots.values()):
        ranks = torch.arange(1, len(group) + 1, dtype=torch.float64)
        shares = 1 / ranks if difficulty >= _ZIPF else torch.ones_like(ranks)
        emissions[number, first : first + len(group)] = shares / shares.sum()
        first += len(group)
    rules = _Rules(slots, difficulty)
    return explore("article", rules.arcs_of, words, emissions)


class _Rules:
    """The arcs out of every state. A state is the slot that comes next, with the noun's class where it matters."""

    def __init__(self, slots: Slots, difficulty: int) -> None:
        self._difficulty = difficulty
        self._number = {name: number for number, name in enumerate(slots)}
        self._share = {
            kind: {
                name: len(slots[f"{kind} {name}"]) / sum(len(slots[f"{kind} {n}"]) for n in _CLASSES)
                for name in _CLASSES
            }
            for kind in ("noun", "verb")
        }

    def arcs_of(self, state: Hashable) -> Iterator[Arc]:
        place, _, noun_class = str(state).partition(" of ")
        has_lengths, has_clauses = self._difficulty >= _LENGTHS, self._difficulty >= _CLAUSES
        if place == "article":
            yield from self._then(
                "article", {"first adjective": 0.75, "noun": 0.25} if has_lengths else {"adjective": 1.0}
            )
        elif place == "first adjective":  # of two in a third of the cases, which makes the numbers 1/4, 1/2, 1/4
            yield from self._then("adjective", {"noun": 2 / 3, "adjective": 1 / 3})
        elif place == "adjective":
            yield from self._then("adjective", {"noun": 1.0})
        elif place == "noun":
            for name in _CLASSES:
                following = f"verb of {name}" if self._difficulty >= _AGREEMENT else "verb of any"
                yield (self._number[f"noun {name}"], self._share["noun"][name], following)
        elif place == "verb":
            after: dict[Any, float] = {"adverb": 1.0}
            if has_lengths:
                after = {f"adverb of {noun_class}": 0.5, **self._ends(0.5, noun_class)}
            yield from self._verbs(noun_class, after)
        elif place == "adverb":
            yield from self._then("adverb", self._ends(1.0, noun_class) if has_clauses else {None: 1.0})
        elif place == "conjunction":
            yield from self._then("conjunction", {f"pronoun of {noun_class}": 1.0})
        elif place == "pronoun":
            yield from self._then(_PRONOUN[noun_class], {f"last verb of {noun_class}": 1.0})
        elif place == "last verb":
            yield from self._verbs(noun_class, {"last adverb": 0.5, None: 0.5})
        else:
            yield from self._then("adverb", {None: 1.0})

    def _ends(self, share: float, noun_class: str) -> dict[Any, float]:
        """How the first clause is left: for good, or into a second one."""
        if self._difficulty < _CLAUSES:
            return {None: share}
        return {None: share / 2, f"conjunction of {noun_class}": share / 2}

    def _then(self, slot: str, after: Mapping[Any, float]) -> Iterator[Arc]:
        for following, probability in after.items():
            yield (self._number[slot], probability, following)

    def _verbs(self, noun_class: str, after: Mapping[Any, float]) -> Iterator[Arc]:
        shares = self._share["verb"] if noun_class == "any" else {noun_class: 1.0}
        for name, share in shares.items():
            for following, probability in after.items():
                yield (self._number[f"verb {name}"], share * probability, following)

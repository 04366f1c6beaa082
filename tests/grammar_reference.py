"""What the grammars say, written a second time and as plainly as possible: the engine's is tested against it."""

from __future__ import annotations

import re

from torch import Tensor

from engine.data.synthetic.templates import Slots
from presets.grammars import ArithmeticShape

CLASSES = ("person", "animal", "object", "nature")
SMALL: Slots = {
    "article": ("the", "a"),
    "adjective": ("old", "red", "big"),
    "noun person": ("man", "boy"), "noun animal": ("dog",), "noun object": ("cup",), "noun nature": ("sea", "sun"),
    "verb person": ("says",), "verb animal": ("barks", "eats"), "verb object": ("tips",), "verb nature": ("ebbs",),
    "adverb": ("now", "here"),
    "conjunction": ("and",),
    "pronoun person": ("he", "she"),
    "pronoun thing": ("it",),
}  # fmt: skip


def template_probability(text: str, level: int) -> float:
    """P(sentence) of the small template grammar, by trying every way to read it."""
    words = text.split()

    def slot(name: str, word: str) -> float:
        listed = SMALL[name]
        if word not in listed:
            return 0.0
        weights = [1 / rank if level >= 4 else 1.0 for rank in range(1, len(listed) + 1)]
        return weights[listed.index(word)] / sum(weights)

    def verb(word: str, name: str) -> float:
        if level >= 2:
            return slot(f"verb {name}", word)
        return sum(slot(f"verb {n}", word) * len(SMALL[f"verb {n}"]) for n in CLASSES) / 5

    def second_clause(rest: list[str], name: str) -> float:
        if not rest:
            return 1.0 if level < 5 else 0.5
        if level < 5 or len(rest) not in (3, 4):
            return 0.0
        pronoun = "pronoun person" if name == "person" else "pronoun thing"
        start = slot("conjunction", rest[0]) * slot(pronoun, rest[1]) * slot(f"verb {name}", rest[2])
        return 0.5 * start * (0.5 * slot("adverb", rest[3]) if len(rest) == 4 else 0.5)

    total = 0.0
    for num_adjectives, share in {0: 0.25, 1: 0.5, 2: 0.25}.items() if level >= 3 else ((1, 1.0),):
        chance = share * slot("article", words[0])
        for word in words[1 : 1 + num_adjectives]:
            chance *= slot("adjective", word)
        rest = words[1 + num_adjectives :]
        if len(rest) < 2:
            continue
        for name in CLASSES:
            clause = chance * slot(f"noun {name}", rest[0]) * len(SMALL[f"noun {name}"]) / 6 * verb(rest[1], name)
            if len(rest) >= 3:
                total += (
                    clause * (0.5 if level >= 3 else 1.0) * slot("adverb", rest[2]) * second_clause(rest[3:], name)
                )
            if level >= 3:
                total += clause * 0.5 * second_clause(rest[2:], name)
    return total


def chain_probability(words: tuple[int, ...], start: Tensor, table: Tensor) -> float:
    """P(words) of a stretch out of an endless chain. words: numbers below 3."""
    order = table.dim() - 1
    first, rows = start.flatten().tolist(), table.flatten().tolist()

    def number(context: tuple[int, ...]) -> int:
        return sum(word * 3**power for power, word in enumerate(reversed(context)))

    chance = first[number(words[:order])]
    for place in range(order, len(words)):
        chance *= rows[number(words[place - order : place + 1])]
    return float(chance)


def is_true(text: str, shape: ArithmeticShape) -> bool:
    left, _, right = text.replace(" ", "").partition("=")
    if not right.isdigit() or (len(right) > 1 and right[0] == "0"):
        return False
    terms = left.replace("-", "+").split("+")
    if len(terms) != shape.terms or not all(t.isdigit() and len(t) == shape.digits and t[0] != "0" for t in terms):
        return False
    return all(sign in (*shape.operators, *"0123456789") for sign in left) and _value(left) == int(right)


def _value(left: str) -> int:
    """Of a chain of sums and differences without spaces."""
    return sum(int(term) for term in re.findall(r"[+-]?\d+", left))

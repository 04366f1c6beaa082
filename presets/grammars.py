"""The synthetic grammars as far as settings and estimates need them: names, sizes and levels, without torch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from presets.data_schema import NUM_SPECIAL_TOKENS, DataConfig

DEFAULT_SENTENCES = 10_000
NUM_TEMPLATE_WORDS = 994  # in engine/data/synthetic/words.txt; tests/unit/test_synthetic.py counts them
MARKOV_WORDS = ("red", "blue", "green", "white", "black", "grey", "brown", "pink", "gold", "silver")
MARKOV_LENGTH = 30
RANDOM_LENGTH = 14

TEMPLATE_LEVELS = (
    "article, adjective, noun, verb and adverb, each drawn evenly and by itself",
    "also: the noun is of one of four classes, and the verb is of the same class",
    "also: none, one or two adjectives, and an adverb or none, so that lengths differ",
    "also: the words of a slot follow Zipf's law",
    "also: every second sentence goes on with a conjunction, a pronoun and a verb that agree with the noun",
)


class ArithmeticShape(msgspec.Struct, frozen=True):
    """terms numbers of exactly `digits` digits, with `operators` between them."""

    terms: int
    digits: int
    operators: tuple[str, ...]

    def length(self, result_digits: int) -> int:
        """Tokens of a sentence: digits, operators and the equals sign."""
        return self.terms * self.digits + self.terms + result_digits


class MarkovShape(msgspec.Struct, frozen=True):
    """num_words: of the alphabet. concentration: of the Dirichlet distribution that every row of the transition
    table is drawn from; small ones give peaked rows, which are easy to learn."""

    num_words: int
    concentration: float


ARITHMETIC_LEVELS = (
    ArithmeticShape(terms=2, digits=2, operators=("+",)),
    ArithmeticShape(terms=2, digits=2, operators=("+", "-")),
    ArithmeticShape(terms=2, digits=3, operators=("+", "-")),
    ArithmeticShape(terms=3, digits=2, operators=("+", "-")),
    ArithmeticShape(terms=3, digits=3, operators=("+", "-")),
)
MARKOV_LEVELS = (
    MarkovShape(num_words=4, concentration=0.3),
    MarkovShape(num_words=5, concentration=0.4),
    MarkovShape(num_words=6, concentration=0.5),
    MarkovShape(num_words=8, concentration=0.7),
    MarkovShape(num_words=10, concentration=1.0),
)


class GrammarFacts(msgspec.Struct, frozen=True):
    """shortest, longest, mean_words: words of a sentence, without [CLS] and [SEP]."""

    label: str
    num_words: int
    shortest: int
    longest: int
    mean_words: float
    default_sentences: int
    about: str


def grammar_facts(data: DataConfig) -> GrammarFacts:
    """What is known of the grammar that `data.dataset` names. Raises KeyError for one that is not there."""
    return _FACTS[data.dataset](data)


def _templates(data: DataConfig) -> GrammarFacts:
    level = data.difficulty
    shortest, longest, mean = ((5, 5, 5.0), (3, 6, 4.5), (3, 10, 6.25))[0 if level < 3 else 1 if level < 5 else 2]
    return GrammarFacts(
        label=f"template sentences, level {level}",
        num_words=NUM_TEMPLATE_WORDS,
        shortest=shortest,
        longest=longest,
        mean_words=mean,
        default_sentences=DEFAULT_SENTENCES,
        about=TEMPLATE_LEVELS[level - 1],
    )


def _arithmetic(data: DataConfig) -> GrammarFacts:
    shape = ARITHMETIC_LEVELS[data.difficulty - 1]
    subtracts = "-" in shape.operators
    shortest = shape.length(1 if subtracts else shape.digits)
    longest = shape.length(shape.digits + 1)
    return GrammarFacts(
        label=f"arithmetic, level {data.difficulty}",
        num_words=10 + len(shape.operators) + 1,
        shortest=shortest,
        longest=longest,
        mean_words=shape.length(shape.digits) + (0.0 if subtracts else 0.5),
        default_sentences=DEFAULT_SENTENCES,
        about=f"{shape.terms} numbers of {shape.digits} digits with {' or '.join(shape.operators)}, and the "
        "result, a token a digit",
    )


def _markov(data: DataConfig) -> GrammarFacts:
    shape = MARKOV_LEVELS[data.difficulty - 1]
    return GrammarFacts(
        label=f"Markov chain of order {data.markov_order}, level {data.difficulty}",
        num_words=shape.num_words,
        shortest=MARKOV_LENGTH,
        longest=MARKOV_LENGTH,
        mean_words=MARKOV_LENGTH,
        default_sentences=DEFAULT_SENTENCES,
        about=f"{MARKOV_LENGTH} colours in a row; how likely each of {shape.num_words} comes next depends on "
        f"the {data.markov_order} before it",
    )


def _random(data: DataConfig) -> GrammarFacts:
    num_words = data.vocab_size - NUM_SPECIAL_TOKENS
    return GrammarFacts(
        label="random words",
        num_words=num_words,
        shortest=RANDOM_LENGTH,
        longest=RANDOM_LENGTH,
        mean_words=RANDOM_LENGTH,
        default_sentences=DEFAULT_SENTENCES,
        about=f"{RANDOM_LENGTH} of {num_words:,} words, drawn evenly: a control, with nothing to learn",
    )


_FACTS: dict[str, Callable[[DataConfig], GrammarFacts]] = {
    "templates": _templates,
    "arithmetic": _arithmetic,
    "markov": _markov,
    "random": _random,
}
GRAMMARS = tuple(_FACTS)

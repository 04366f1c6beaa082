"""How many sequences and tokens a data section gives, from what is known of its text before it is read."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from presets import corpora
from presets.costs import BYTES_PER_WORD, TOKENS_PER_WORD, WORD_TOKENS_PER_WORD
from presets.data_schema import NUM_SPECIAL_TOKENS, DataConfig
from presets.grammars import GRAMMARS, GrammarFacts, grammar_facts

_LENGTH_SPREAD = 0.75  # standard deviation of the logarithm of a document's length, where only the mean is known
_NUM_BYTES = 256


@dataclass(frozen=True)
class SequenceCounts:
    """Of the training split. rows and tokens_per_row ([CLS] and [SEP] with them) are None while unknown."""

    rows: int | None
    tokens_per_row: float | None
    basis: str


def vocab_size(data: DataConfig) -> int:
    """Entries of the vocabulary that the engine's model will have.

    Known for grammars and bytes; else what is asked for, which a small text or an existing tokenizer may not fill.
    """
    grammar = _grammar_facts(data)
    if grammar is not None:
        return grammar.num_words + NUM_SPECIAL_TOKENS
    if data.tokenizer == "bytes":
        return _NUM_BYTES + NUM_SPECIAL_TOKENS
    return data.vocab_size


def vocabulary_basis(data: DataConfig) -> str:
    """What the size of the vocabulary rests on."""
    if _grammar_facts(data) is not None:
        return "Parameters are exact: the grammar's words are its vocabulary."
    if data.tokenizer == "existing":
        return (
            f"Parameters assume {data.vocab_size:,} tokens; the existing tokenizer's own number is not read here."
        )
    return "Parameters are exact, if the text fills the vocabulary."


def tokens_per_word(data: DataConfig) -> float:
    """Tokens for a whitespace word; measured on the embedded corpus, interpolated in the logarithm of the size."""
    if data.tokenizer == "word":
        return WORD_TOKENS_PER_WORD
    if data.tokenizer == "bytes":
        return BYTES_PER_WORD + 1  # the space
    table = TOKENS_PER_WORD["wordpiece" if data.tokenizer == "existing" else data.tokenizer]
    size = min(max(data.vocab_size, table[0][0]), table[-1][0])
    for (low, at_low), (high, at_high) in itertools.pairwise(table):
        if size <= high:
            share = math.log(size / low) / math.log(high / low)
            return at_low + share * (at_high - at_low)
    return table[-1][1]


def count_sequences(data: DataConfig) -> SequenceCounts:
    """The training split's sequences before anything is read. Exact only for a grammar's number of sentences."""
    grammar = _grammar_facts(data)
    if grammar is not None:
        return _of_grammar(data, grammar)
    facts = corpora.facts(data)
    if facts is None or data.source == "synthetic":
        return SequenceCounts(None, None, "Sequences and tokens are unknown until the data are read.")
    room = data.sequence_length - 2
    rows = min(facts.rows, data.max_samples or facts.rows)
    documents = rows * facts.usable_share * (1 - data.validation_fraction)
    length = facts.words_per_row / facts.usable_share * tokens_per_word(data)
    if data.long_documents == "split":
        per_document = max(1.0, length / room + 0.5)  # the last piece of a document is half full on average
        row_tokens = min(length / per_document, room) + 2
    else:
        per_document = 1.0
        row_tokens = _mean_of_shorter(length, room) + 2
    usable = "" if facts.usable_share == 1.0 else f", of which {facts.usable_share:.0%} are long enough"
    basis = (
        f"Sequences rest on {rows:,} rows of {facts.words_per_row:,.0f} words ({facts.label}){usable}, and on "
        f"{tokens_per_word(data):.2f} tokens a word, measured on the embedded corpus; copies are not taken off."
    )
    return SequenceCounts(round(documents * per_document), row_tokens, basis)


def _grammar_facts(data: DataConfig) -> GrammarFacts | None:
    """None for text that is no grammar's, and for a grammar that is not there (a form that is being filled in)."""
    return grammar_facts(data) if data.source == "synthetic" and data.dataset in GRAMMARS else None


def _of_grammar(data: DataConfig, facts: GrammarFacts) -> SequenceCounts:
    sentences = data.max_samples or facts.default_sentences
    train = round(sentences * (1 - data.validation_fraction))
    room = data.sequence_length - 2
    pieces = math.ceil(facts.mean_words / room) if data.long_documents == "split" else 1
    basis = (
        f"Sequences are {sentences:,} sentences of the grammar, less those for validation and copies, if any; "
        f"they have {facts.shortest} to {facts.longest} words, {facts.mean_words:.3g} on average."
    )
    return SequenceCounts(train * pieces, min(facts.mean_words / pieces, room) + 2, basis)


def _mean_of_shorter(mean: float, limit: float) -> float:
    """Mean of min(length, limit) for log-normal lengths of that mean; what truncation leaves of a document."""
    location = math.log(mean) - _LENGTH_SPREAD**2 / 2
    distance = (math.log(limit) - location) / _LENGTH_SPREAD
    below = mean * _normal_share(distance - _LENGTH_SPREAD)
    return below + limit * (1 - _normal_share(distance))


def _normal_share(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))

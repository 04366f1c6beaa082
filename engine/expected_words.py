"""Where the word that belongs in a place stands among all that the model could put there."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from torch import Tensor

from engine.data.tokenizers import MASK, UNK, encode_probe, token_text
from presets.schema import MASK_TOKEN
from runs.events import Expected


def mask_words(
    tokenizer: Tokenizer, text: str, words: Sequence[str], ids: Sequence[int], probabilities: Tensor
) -> tuple[Expected, ...]:
    """Each mask's word. ids: of the text, without [CLS]. probabilities: (masks, V); fewer words rank fewer."""
    places = [place for place, token in enumerate(ids) if token == MASK]
    found: list[Expected] = []
    for number, (word, place) in enumerate(zip(words, places, strict=False)):
        tokens = _in_place(tokenizer, _filled(text, number, word), word, ids[:place], len(ids) - 1)
        found.append(_expected(tokenizer, word, tokens, probabilities[number]))
    return tuple(found)


def next_word(
    tokenizer: Tokenizer, text: str, word: str, ids: Sequence[int], probabilities: Tensor
) -> tuple[Expected, ...]:
    """The word that comes next. ids: of the text, without [CLS]. probabilities: (V,)."""
    space = "" if not text or text[-1].isspace() else " "
    tokens = _in_place(tokenizer, text + space + word, word, ids, len(ids))
    return (_expected(tokenizer, word, tokens, probabilities),)


def label_word(labels: Sequence[str], word: str, probabilities: Tensor) -> tuple[Expected, ...]:
    """The label of a text; upper and lower case are the same where that is clear. probabilities: (labels,)."""
    exact = [number for number, label in enumerate(labels) if label == word]
    alike = [number for number, label in enumerate(labels) if label.casefold() == word.casefold()]
    found = exact or alike
    if len(found) != 1:
        return (Expected(word),)
    return (Expected(word, labels[found[0]], *_rank(probabilities, found[0])),)


def _filled(text: str, number: int, word: str) -> str:
    """The text with the word in that mask."""
    parts = text.split(MASK_TOKEN)
    return MASK_TOKEN.join(parts[: number + 1]) + word + MASK_TOKEN.join(parts[number + 1 :])


def _in_place(tokenizer: Tokenizer, whole: str, word: str, before: Sequence[int], num_others: int) -> list[int]:
    """The word's tokens as they are in that place, where the text before it stays as it is; else on its own.

    num_others: tokens of the text without the word.
    """
    ids = encode_probe(tokenizer, whole)
    num_own = len(ids) - num_others
    if ids[: len(before)] == list(before) and num_own > 0:
        return ids[len(before) : len(before) + num_own]
    return encode_probe(tokenizer, word)


def _expected(tokenizer: Tokenizer, word: str, tokens: Sequence[int], probabilities: Tensor) -> Expected:
    if not tokens or tokens[0] == UNK:
        return Expected(word)
    rank, probability = _rank(probabilities, tokens[0])
    return Expected(word, token_text(tokenizer, tokens[0]), rank, probability, len(tokens))


def _rank(probabilities: Tensor, token: int) -> tuple[int, float]:
    own = probabilities[token]
    return 1 + int((probabilities > own).sum()), float(own)

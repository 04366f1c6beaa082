"""What a tokenizer makes of text, for people to judge it: unknown rate, tokens per word, coverage, the head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from engine.data.encoding import encode_long_rows, pieces
from engine.data.token_text import token_text
from engine.data.tokenizers import UNK, encode_rows, load_tokenizer, make_tokenizer
from presets.schema import DataConfig
from runs.cache_format import MANIFEST, SOURCE, TOKENIZER, CacheManifest, LongDocument, SourceRecord
from runs.data_inspection import SampleRow, TokenizerFigures
from runs.folder import read_struct

_HEAD = 40
_ROWS_AT_ONCE = 256
_TOKENS_SHOWN = 200
_LONGEST = 5
_DISTINCT_WORDS = 50_000


@dataclass(frozen=True)
class FoundTokenizer:
    """A tokenizer, and what it makes of the text."""

    tokenizer: Tokenizer
    figures: TokenizerFigures


def cached_tokenizer(cache: Path, rows: Iterable[str]) -> FoundTokenizer | None:
    """The tokenizer of a cache, with figures of all its training text when it is complete; None without one."""
    source = read_struct(cache / SOURCE, SourceRecord)
    if source is None:
        return None
    try:
        tokenizer = load_tokenizer(cache / TOKENIZER)
    except (OSError, ValueError):
        return None  # a damaged cache is named, and rebuilt, by whoever opens it to train
    manifest = read_struct(cache / MANIFEST, CacheManifest)
    if manifest is None:
        return FoundTokenizer(tokenizer, _of_sample(tokenizer, list(rows), "the sample; the cache is half-built"))
    distinct, occurring = words_known(tokenizer, rows)
    train = manifest.train
    figures = TokenizerFigures(
        origin="the whole training split",
        vocab_size=source.vocab_size,
        used=manifest.statistics.vocabulary_used,
        unknown_rate=train.unknown / max(1, train.tokens),
        tokens_per_word=train.tokens / max(1, train.words),
        words_known=distinct,
        occurrences_known=occurring,
        head=manifest.statistics.head[:_HEAD],
        longest=manifest.statistics.longest[:_LONGEST],
    )
    return FoundTokenizer(tokenizer, figures)


def learned_tokenizer(data: DataConfig, rows: list[str], words: tuple[str, ...] | None) -> FoundTokenizer:
    """One that is learned from the sample alone. Raises DataError or ValueError when none can be learned."""
    tokenizer = make_tokenizer([piece for row in rows for piece in pieces(row)], data, words)
    return FoundTokenizer(tokenizer, _of_sample(tokenizer, rows, "the sample, and learned from it alone"))


def with_tokens(rows: tuple[SampleRow, ...], tokenizer: Tokenizer) -> tuple[SampleRow, ...]:
    """The same rows with their first tokens, as a person reads them."""
    encoded = encode_rows(tokenizer, [row.text for row in rows])
    return tuple(
        msgspec.structs.replace(row, tokens=tuple(token_text(tokenizer, id) for id in ids[:_TOKENS_SHOWN]))
        for row, ids in zip(rows, encoded, strict=True)
    )


def words_known(tokenizer: Tokenizer, rows: Iterable[str]) -> tuple[float, float]:
    """Share of the distinct words without [UNK], and of the words as often as they occur."""
    counts = Counter(word for row in rows for word in row.split())
    words = counts.most_common(_DISTINCT_WORDS)
    encoded = encode_rows(tokenizer, [word for word, _ in words])
    known = [UNK not in ids for ids in encoded]
    occurring = sum(count for (_, count), is_known in zip(words, known, strict=True) if is_known)
    return sum(known) / max(1, len(words)), occurring / max(1, sum(count for _, count in words))


def _of_sample(tokenizer: Tokenizer, rows: list[str], origin: str) -> TokenizerFigures:
    counts: Counter[int] = Counter()
    longest: list[LongDocument] = []
    left = iter(rows)
    while batch := list(islice(left, _ROWS_AT_ONCE)):
        for row, ids in zip(batch, encode_long_rows(tokenizer, batch), strict=True):
            counts.update(ids)
            longest.append(LongDocument(len(ids), row[:80]))
        longest = sorted(longest, key=lambda document: -document.tokens)[:_LONGEST]
    num_tokens = counts.total()
    distinct, occurring = words_known(tokenizer, rows)
    return TokenizerFigures(
        origin=origin,
        vocab_size=tokenizer.get_vocab_size(),
        used=len(counts),
        unknown_rate=counts[UNK] / max(1, num_tokens),
        tokens_per_word=num_tokens / max(1, sum(len(row.split()) for row in rows)),
        words_known=distinct,
        occurrences_known=occurring,
        head=tuple((token_text(tokenizer, id), count) for id, count in counts.most_common(_HEAD)),
        longest=tuple(longest),
    )

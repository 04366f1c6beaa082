"""Rows of any length to token ids, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tokenizers import Tokenizer

from engine.data.tokenizers import encode_rows

_PIECE_CHARACTERS = 20_000
_PIECES_AT_ONCE = 512


def encode_long_rows(tokenizer: Tokenizer, rows: list[str]) -> list[list[int]]:
    """Token ids of each row; a long row is encoded in pieces, which bounds the memory that takes."""
    cut = [pieces(row) for row in rows]
    encoded = _encoded(tokenizer, [piece for parts in cut for piece in parts])
    return [list(chain.from_iterable(next(encoded) for _ in parts)) for parts in cut]


def _encoded(tokenizer: Tokenizer, texts: list[str]) -> Iterator[list[int]]:
    """Token ids of each text, in groups: an encoding takes many times the memory of its text while it lasts."""
    for first in range(0, len(texts), _PIECES_AT_ONCE):
        yield from encode_rows(tokenizer, texts[first : first + _PIECES_AT_ONCE])


def pieces(row: str) -> list[str]:
    """A row cut at white space into pieces of bounded length, where it has any; no token reaches across."""
    if len(row) <= _PIECE_CHARACTERS:
        return [row]
    parts: list[str] = []
    start = 0
    while start < len(row):
        end = start + _PIECE_CHARACTERS
        if end < len(row):
            end = max(row.rfind(" ", start + 1, end), row.rfind("\n", start + 1, end))
            end = end if end > start else start + _PIECE_CHARACTERS
        parts.append(row[start:end])
        start = end
    return parts

"""Rows of any length to token ids, in bounded memory."""

from __future__ import annotations

from itertools import chain

from tokenizers import Tokenizer

from engine.data.tokenizers import encode_rows

_PIECE_CHARACTERS = 20_000


def encode_long_rows(tokenizer: Tokenizer, rows: list[str]) -> list[list[int]]:
    """Token ids of each row; a long row is encoded in pieces, which bounds the memory that takes."""
    cut = [pieces(row) for row in rows]
    encoded = iter(encode_rows(tokenizer, [piece for parts in cut for piece in parts]))
    return [list(chain.from_iterable(next(encoded) for _ in parts)) for parts in cut]


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

"""What each token of a vocabulary stands for in the text: its bytes, and whether a space comes before them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenizers import Tokenizer

from engine.data.special_tokens import SPECIAL_TOKENS
from engine.data.token_text import BYTE_OF_CHARACTER, TokenStyle, token_style

_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Surface:
    """text: UTF-8, without the space before it. has_space: the token says that a space comes before.

    is_inner: the token says that it goes on with a word (`##ing`).
    """

    text: bytes
    has_space: bool
    is_inner: bool


def token_surfaces(tokenizer: Tokenizer) -> list[Surface]:
    """One for each token in the order of the ids; special tokens stand for no text."""
    style = token_style(tokenizer)
    prefix = inner_prefix(tokenizer)
    surfaces = [Surface(b"", False, False) for _ in SPECIAL_TOKENS]
    for token_id in range(len(SPECIAL_TOKENS), tokenizer.get_vocab_size()):
        surfaces.append(_surface(tokenizer.id_to_token(token_id) or "", style, prefix))
    return surfaces


def inner_prefix(tokenizer: Tokenizer) -> str:
    """What pieces inside a word begin with, `##` in WordPiece; nothing in vocabularies without such a mark."""
    return getattr(tokenizer.model, "continuing_subword_prefix", None) or ""


def _surface(token: str, style: TokenStyle, prefix: str) -> Surface:
    if style == "bytes" and all(character in BYTE_OF_CHARACTER for character in token):
        text = bytes(BYTE_OF_CHARACTER[character] for character in token)
        return Surface(text.removeprefix(b" "), text.startswith(b" "), False)
    if style == "spaces":
        if fallback := _FALLBACK.fullmatch(token):
            return Surface(bytes([int(fallback[1], 16)]), False, False)
        text = token.replace("▁", " ").encode()
        return Surface(text.removeprefix(b" "), text.startswith(b" "), False)
    if prefix and token.startswith(prefix) and token != prefix:
        return Surface(token.removeprefix(prefix).encode(), False, True)
    return Surface(token.encode(), False, False)

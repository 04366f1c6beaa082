"""What a person should see of a token: no bytes, `Ġ`, `▁` or `##`."""

from __future__ import annotations

import re

from tokenizers import Tokenizer

from engine.data.special_tokens import SPECIAL_TOKENS


def _byte_characters() -> tuple[str, ...]:
    """The character that stands for each byte in byte-level vocabularies (GPT-2's table)."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return tuple(chr(byte) if byte in plain else chr(next(others)) for byte in range(256))


BYTE_CHARACTERS = _byte_characters()
_BYTES = {character: byte for byte, character in enumerate(BYTE_CHARACTERS)}
_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE, _CONTINUES = "␣", "…"


def token_text(tokenizer: Tokenizer, token_id: int) -> str:
    """A word or a part of one as it is written: `house`; `…ing` continues a word; `␣` is a space of its own.

    Bytes that are no whole character are `\\xe2`, line breaks `\\n`; an id that is not in the vocabulary is `?`.
    """
    token = tokenizer.id_to_token(token_id)
    if token is None:
        return "?"
    if token_id < len(SPECIAL_TOKENS):
        return str(token)
    style = f"{tokenizer.pre_tokenizer}{tokenizer.decoder}{tokenizer.normalizer}"
    if "ByteLevel" in style and all(character in _BYTES for character in token):
        text = bytes(_BYTES[character] for character in token).decode("utf-8", "backslashreplace")
        single_bytes = tokenizer.get_vocab_size() == len(SPECIAL_TOKENS) + len(BYTE_CHARACTERS)
        return _visible(text) if single_bytes else _part(text)
    if "▁" in style or "Metaspace" in style:
        if fallback := _FALLBACK.fullmatch(token):
            return f"\\x{fallback[1].lower()}"
        return _part(token.replace("▁", " "))
    if token.startswith("##") and len(token) > 2:
        return _CONTINUES + _visible(token[2:])
    return _visible(token)


def _part(text: str) -> str:
    """Of vocabularies in which a word's first token begins with a space."""
    if text.startswith(" ") and text.strip():
        return _visible(text[1:])
    return _CONTINUES + _visible(text) if text[:1].isalnum() else _visible(text)


def _visible(text: str) -> str:
    shown = text.replace(" ", _SPACE)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)

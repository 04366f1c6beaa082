"""What a person should see of a token, and of a row of them: no bytes, `Ġ`, `▁` or `##`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from tokenizers import Tokenizer

from engine.data.special_tokens import SPECIAL_TOKENS


def _byte_characters() -> tuple[str, ...]:
    """The character that stands for each byte in byte-level vocabularies (GPT-2's table)."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return tuple(chr(byte) if byte in plain else chr(next(others)) for byte in range(256))


BYTE_CHARACTERS = _byte_characters()
BYTE_OF_CHARACTER = {character: byte for byte, character in enumerate(BYTE_CHARACTERS)}
TokenStyle = Literal["bytes", "spaces", "words"]
_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE, _CONTINUES = "␣", "…"
_NO_SPACE_BEFORE = frozenset(",.;:!?)]}%'’-")
_NO_SPACE_AFTER = frozenset("([{$'’-")


def token_style(tokenizer: Tokenizer) -> TokenStyle:
    """How tokens are written: as bytes' characters (`Ġhouse`), with a sign for spaces (`▁house`), or as words."""
    style = f"{tokenizer.pre_tokenizer}{tokenizer.decoder}{tokenizer.normalizer}"
    if "ByteLevel" in style:
        return "bytes"
    return "spaces" if "▁" in style or "Metaspace" in style else "words"


def token_text(tokenizer: Tokenizer, token_id: int) -> str:
    """A word or a part of one as it is written: `house`; `…ing` continues a word; `␣` is a space of its own.

    Bytes that are no whole character are `\\xe2`, line breaks `\\n`; an id that is not in the vocabulary is `?`.
    """
    token = tokenizer.id_to_token(token_id)
    if token is None:
        return "?"
    if token_id < len(SPECIAL_TOKENS):
        return str(token)
    style = token_style(tokenizer)
    if style == "bytes" and all(character in BYTE_OF_CHARACTER for character in token):
        text = bytes(BYTE_OF_CHARACTER[character] for character in token).decode("utf-8", "backslashreplace")
        single_bytes = tokenizer.get_vocab_size() == len(SPECIAL_TOKENS) + len(BYTE_CHARACTERS)
        return _visible(text) if single_bytes else _part(text)
    if style == "spaces":
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


def row_text(tokenizer: Tokenizer, token_ids: Sequence[int]) -> str:
    """A row of tokens as one text; that of a row's beginning is nearly always the beginning of the row's.

    Words of a vocabulary without spaces are put together as texts usually have them: no space before a comma or on
    either side of an apostrophe or a hyphen. Bytes that are no whole character are `�`; [UNK] stays [UNK].
    """
    if token_style(tokenizer) != "words":
        return str(tokenizer.decode(list(token_ids), skip_special_tokens=False))
    text = ""
    for token_id in token_ids:
        token = tokenizer.id_to_token(token_id) or "?"
        if token.startswith("##") and len(token) > 2:
            text += token[2:]
        elif text and token[0] not in _NO_SPACE_BEFORE and text[-1] not in _NO_SPACE_AFTER:
            text += f" {token}"
        else:
            text += token
    return text

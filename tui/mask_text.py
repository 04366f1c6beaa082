"""Texts with masks: a word put in the place of a mask, a mask put in the place of a word."""

from __future__ import annotations

import re

from presets.schema import MASK_TOKEN

_CONTINUES = "…"
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[ntr])")


def masks_in(text: str) -> int:
    """How many `[MASK]` it has."""
    return text.count(MASK_TOKEN)


def filled(text: str, place: int, token: str) -> tuple[str, str]:
    """The text with a token in the place of its mask number `place` (from 0), or unchanged and why it cannot be.

    `…ing` goes on with the word before it; bytes that are no whole character cannot be written.
    """
    starts = [match.start() for match in re.finditer(re.escape(MASK_TOKEN), text)]
    if not 0 <= place < len(starts):
        return text, "that mask is not in the text any more"
    before, after = text[: starts[place]], text[starts[place] + len(MASK_TOKEN) :]
    written, problem = _written(token)
    if problem:
        return text, problem
    if token.startswith(_CONTINUES) and len(token) > 1:
        before = before.rstrip(" ")
    return before + written + after, ""


def appended(text: str, token: str) -> tuple[str, str]:
    """The text with one more token at its end, or unchanged and why it cannot be."""
    written, problem = _written(token)
    if problem:
        return text, problem
    glued = token.startswith(_CONTINUES) and len(token) > 1
    needs_space = bool(text) and not text[-1].isspace() and not glued and (token[:1].isalnum() or token[:1] == "[")
    return text + (" " if needs_space else "") + written, ""


def hidden(text: str, start: int, end: int) -> str:
    """The text with `[MASK]` in the place of the characters from start to end, which may begin with a space."""
    piece = text[start:end]
    lead = piece[: len(piece) - len(piece.lstrip())]
    before = text[:start] + lead
    space = " " if before and not before[-1].isspace() and not before.endswith("(") else ""
    after = text[end:]
    gap = " " if after[:1].isalnum() else ""
    return before + space + MASK_TOKEN + gap + after


def word_at(text: str, place: int) -> tuple[int, int]:
    """Where the word begins and ends that the place is in, or at the end of; twice the place where none is."""
    for match in re.finditer(r"\[MASK\]|\w+(?:['’]\w+)*", text):
        if match.start() <= place <= match.end():
            return match.start(), match.end()
    return place, place


def _written(token: str) -> tuple[str, str]:
    """What a token adds to a text."""
    if _ESCAPE.search(token):
        return "", f"{token} is not a character of its own, so it cannot be written into the text"
    shown = token.removeprefix(_CONTINUES) if len(token) > 1 else token
    return shown.replace("␣", " "), ""

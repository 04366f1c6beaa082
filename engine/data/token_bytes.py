"""How many bytes of text each token stands for, so that losses compare across vocabularies as bits per byte."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.data.special_tokens import SPECIAL_TOKENS, UNK
from engine.data.token_surface import Surface, token_surfaces
from engine.data.token_text import token_style


def token_bytes(tokenizer: Tokenizer) -> Tensor:
    """(V,) float32 UTF-8 bytes of the text as the tokenizer sees it, after lower-casing where it does that.

    Special tokens have 0. A vocabulary without spaces (WordPiece, words) has one counted before each token that
    begins a word with a letter or a digit, since texts have one there nearly always; so all vocabularies give a
    text nearly the same length (tests/unit/test_token_bytes.py says how nearly). What an [UNK] stood for is not
    known any more: it counts as the mean of the vocabulary's tokens that begin with a space.
    """
    is_spaced = token_style(tokenizer) != "words"
    surfaces = token_surfaces(tokenizer)
    spaces = [surface.has_space if is_spaced else _is_spaced_word(surface) for surface in surfaces]
    sizes = torch.tensor([float(len(s.text) + space) for s, space in zip(surfaces, spaces, strict=True)])
    is_word = torch.tensor(spaces)
    sizes[UNK] = sizes[is_word].mean() if bool(is_word.any()) else sizes[len(SPECIAL_TOKENS) :].mean()
    return sizes


def _is_spaced_word(surface: Surface) -> bool:
    return not surface.is_inner and surface.text.decode()[:1].isalnum()

"""Which tokens begin a word, told from the vocabulary alone; for masks that hide whole words."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.data.documents import DataError
from engine.data.special_tokens import SPECIAL_TOKENS, UNK
from engine.data.token_surface import Surface, token_surfaces
from engine.data.token_text import token_style


def word_starts(tokenizer: Tokenizer) -> Tensor:
    """(V,) bool: true where a token begins a word, wherever it stands.

    In WordPiece and word vocabularies that is every token without `##`. Where a word's first token begins with its
    space (BPE, Unigram, bytes), it is every token with a space, and every one that begins with an ASCII mark or
    other white space: `house,` is two words everywhere, while `self-made` is `self` and `-made` here. Special
    tokens begin a word, but for an [UNK] that may be a character within one.
    Raises DataError for a vocabulary that marks the ends of words, not their beginnings.
    """
    if getattr(tokenizer.model, "end_of_word_suffix", None):
        raise DataError(
            "objective.whole_words: this tokenizer marks where words end, not where they begin; "
            "switch whole words off, or choose another tokenizer"
        )
    is_spaced = token_style(tokenizer) != "words"
    starts = [_begins(surface) if is_spaced else not surface.is_inner for surface in token_surfaces(tokenizer)]
    starts[: len(SPECIAL_TOKENS)] = [True] * len(SPECIAL_TOKENS)
    starts[UNK] = not is_spaced
    return torch.tensor(starts)


def _begins(surface: Surface) -> bool:
    first = surface.text[:1]
    return surface.has_space or (first.isascii() and not first.isalnum())

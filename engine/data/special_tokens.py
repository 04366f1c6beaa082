"""The five tokens that every vocabulary of ours begins with."""

from __future__ import annotations

from tokenizers import Regex, pre_tokenizers

from presets.schema import MASK_TOKEN

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", MASK_TOKEN]


def apart(pre_tokenizer: pre_tokenizers.PreTokenizer | None) -> pre_tokenizers.PreTokenizer:
    """The same, for models that would find `[MASK]` in a text as one piece: its bracket is cut off before.

    Nothing else changes: only a bracket before the name of a special token is cut.
    """
    names = "|".join(token[1:-1] for token in SPECIAL_TOKENS)
    split = pre_tokenizers.Split(Regex(rf"\[(?=(?:{names})\])"), "isolated")
    return split if pre_tokenizer is None else pre_tokenizers.Sequence([split, pre_tokenizer])

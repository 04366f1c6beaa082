"""Tokenizers through the `tokenizers` library, with our five special tokens at ids 0 to 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from presets.schema import MASK_TOKEN, DataConfig

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", MASK_TOKEN]
_BATCH = 1000


def train_tokenizer(texts: Iterable[str], data: DataConfig) -> Tokenizer:
    """Learn a vocabulary of at most `data.vocab_size` entries from the training split's texts."""
    trainer: trainers.Trainer
    if data.tokenizer == "word":
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        trainer = trainers.WordLevelTrainer(
            vocab_size=data.vocab_size, special_tokens=SPECIAL_TOKENS, show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        trainer = trainers.WordPieceTrainer(
            vocab_size=data.vocab_size, special_tokens=SPECIAL_TOKENS, show_progress=False
        )
    steps: list[normalizers.Normalizer] = [normalizers.NFC()]
    if data.lowercase:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(_batched(texts), trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`. Raises ValueError when it is none, or not one of ours."""
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"{path}: not a tokenizer: {error}") from error
    for index, token in enumerate(SPECIAL_TOKENS):
        if tokenizer.token_to_id(token) != index:
            raise ValueError(f"{path}: {token} is not token {index}")
    return tokenizer


def encode_rows(tokenizer: Tokenizer, rows: list[str]) -> list[list[int]]:
    """Token ids of each text, without [CLS] and [SEP]. A `[MASK]` in the data is plain text, not our token."""
    tokenizer.encode_special_tokens = True
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(rows, add_special_tokens=False)]


def encode_probe(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a sentence in which `[MASK]` is the mask."""
    tokenizer.encode_special_tokens = False
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def _batched(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def make_tokenizer(texts: Iterable[str], data: DataConfig, words: tuple[str, ...] | None) -> Tokenizer:
    """The tokenizer of a dataset: with exactly `words` where they are known, else learned from the texts."""
    if words is None:
        return train_tokenizer(texts, data)
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer

"""Tokenizers through the `tokenizers` library, with our five special tokens at ids 0 to 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from engine.data.documents import DataError
from engine.data.existing_tokenizer import MOST_TOKENIZER_BYTES, existing_tokenizer, settled
from engine.data.special_tokens import CLS, MASK, PAD, SEP, SPECIAL_TOKENS, UNK, apart
from engine.data.token_text import BYTE_CHARACTERS, token_text
from presets.schema import MASK_TOKEN, DataConfig
from runs.safe_files import read_text

__all__ = [
    "CLS", "MASK", "PAD", "SEP", "SPECIAL_TOKENS", "UNK",
    "encode_probe", "encode_rows", "load_tokenizer", "make_tokenizer", "token_text",
]  # fmt: skip

_BATCH = 1000
_ALL_WORDS = 1 << 31


def make_tokenizer(texts: Iterable[str], data: DataConfig, words: tuple[str, ...] | None) -> Tokenizer:
    """The tokenizer that the settings name; with exactly `words`, in their order, where they are known.

    texts: of the training split, which can be read more than once; read only when a vocabulary has to be
    learned, which then has at most `data.vocab_size` entries. All kinds but unigram are the same every time they
    are learned from the same texts. Raises DataError.
    """
    if words is not None:
        return _closed(words)
    if data.tokenizer == "existing":
        return existing_tokenizer(data.tokenizer_from)
    if data.tokenizer == "bytes":
        return _bytes(data)
    return _LEARNED[data.tokenizer](texts, data)


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`. Raises ValueError when it is none, or not one of ours."""
    try:
        tokenizer = Tokenizer.from_str(read_text(path, MOST_TOKENIZER_BYTES, follow=True))
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


def _closed(words: tuple[str, ...]) -> Tokenizer:
    """Word i is token i + 5; nothing is learned."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer


def _words(texts: Iterable[str], data: DataConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordLevelTrainer(
        vocab_size=data.vocab_size, special_tokens=SPECIAL_TOKENS, show_progress=False
    )
    return _learned(tokenizer, texts, trainer, data)


def _word_pieces(texts: Iterable[str], data: DataConfig) -> Tokenizer:
    """WordPiece that is the same every time it is learned from the same texts, which are read twice.

    The trainer numbers the pieces inside words in the order of a hash table that differs from process to process
    (tokenizers 0.23), and pieces of equal frequency are joined in the order of their numbers. So they are numbered
    here, by handing them in as special tokens, which they are not in what is returned.
    """
    words = _words(texts, msgspec.structs.replace(data, vocab_size=_ALL_WORDS))
    inside = sorted({character for word in words.get_vocab() for character in word[1:]} - set("[]"))
    pieces = [f"##{character}" for character in inside]
    pieces = pieces[: data.vocab_size - len(SPECIAL_TOKENS)]
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=data.vocab_size, special_tokens=[*SPECIAL_TOKENS, *pieces], show_progress=False
    )
    learned = _learned(learner, texts, trainer, data)
    tokenizer = Tokenizer(models.WordPiece(learned.get_vocab(), unk_token="[UNK]"))
    tokenizer.normalizer = learned.normalizer
    tokenizer.pre_tokenizer = learned.pre_tokenizer
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer


def _byte_pairs(texts: Iterable[str], data: DataConfig) -> Tokenizer:
    """Pairs of bytes that are joined most often; every text can be written, so that nothing is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=data.vocab_size,
        special_tokens=_special_tokens(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return _learned(tokenizer, texts, trainer, data)


def _unigrams(texts: Iterable[str], data: DataConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = apart(pre_tokenizers.Metaspace())
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=data.vocab_size, special_tokens=_special_tokens(), unk_token="[UNK]", show_progress=False
    )
    return settled(_learned(tokenizer, texts, trainer, data))


def _bytes(data: DataConfig) -> Tokenizer:
    """256 bytes after the special tokens: byte b is token b + 5."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *BYTE_CHARACTERS])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.normalizer = _normalizer(data)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer


def _learned(tokenizer: Tokenizer, texts: Iterable[str], trainer: Any, data: DataConfig) -> Tokenizer:
    tokenizer.normalizer = _normalizer(data)
    read = _Texts(texts)
    try:
        tokenizer.train_from_iterator(read.batches(), trainer)
    except Exception as error:  # tokenizers raises bare Exception
        if read.problem is not None:
            raise read.problem from None  # of the source, which tokenizers wraps
        advice = f"a {data.tokenizer} tokenizer of {data.vocab_size:,} entries cannot be learned from this text"
        more = "; choose a larger vocabulary" if "not large enough" in str(error) else ""
        raise DataError(f"{advice}: {str(error).rstrip('.')}{more}") from error
    return tokenizer


class _Texts:
    """Hands texts over in batches and keeps the error that ended them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.problem: BaseException | None = None

    def batches(self) -> Iterator[list[str]]:
        iterator = iter(self._texts)
        try:
            while batch := list(islice(iterator, _BATCH)):
                yield batch
        except BaseException as error:
            self.problem = error
            raise


def _normalizer(data: DataConfig) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [normalizers.NFC()]
    if data.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps)


def _special_tokens() -> list[AddedToken]:
    """Our five, where a word's token begins with its space: [MASK] takes the space before it too."""
    return [AddedToken(token, special=True, lstrip=token == MASK_TOKEN) for token in SPECIAL_TOKENS]


_LEARNED = {"word": _words, "wordpiece": _word_pieces, "bpe": _byte_pairs, "unigram": _unigrams}

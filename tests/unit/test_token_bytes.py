"""Bytes a token: what each stands for, and that every vocabulary gives a text nearly its length."""

from __future__ import annotations

import pytest

from engine.data.token_bytes import token_bytes
from engine.data.tokenizers import UNK, encode_rows, make_tokenizer
from presets.schema import DataConfig
from tests.fakes.hub_texts import passages

TEXTS = [text.lower() for text in passages(60)]


def bytes_of(kind: str, text: str) -> float:
    tokenizer = make_tokenizer(TEXTS, DataConfig(tokenizer=kind, vocab_size=900), None)  # type: ignore[arg-type]
    (ids,) = encode_rows(tokenizer, [text])
    return float(token_bytes(tokenizer)[ids].sum())


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("bytes", 0.0), ("bpe", 0.001), ("unigram", 0.005), ("wordpiece", 0.02)]
)
def test_the_tokens_of_a_text_have_nearly_as_many_bytes_as_the_text(kind: str, tolerance: float) -> None:
    text = " ".join(TEXTS)
    assert bytes_of(kind, text) == pytest.approx(len(text.encode()), rel=tolerance)


def test_bytes_are_those_of_utf_8() -> None:
    assert bytes_of("bytes", "naïve 中文") == len("naïve 中文".encode())
    assert bytes_of("bpe", "naïve 中文") == len(" naïve 中文".encode()), "it puts a space before the first word"


def test_special_tokens_stand_for_no_text_and_an_unknown_word_for_a_usual_one() -> None:
    tokenizer = make_tokenizer(["house of cards, a 12"] * 9, DataConfig(tokenizer="word", vocab_size=32), None)
    sizes = token_bytes(tokenizer)
    assert sizes[[0, 2, 3, 4]].tolist() == [0.0] * 4
    found = {tokenizer.id_to_token(token): float(sizes[token]) for token in range(5, len(sizes))}
    assert found == {"house": 6.0, "of": 3.0, "cards": 6.0, ",": 1.0, "a": 2.0, "12": 3.0}
    assert float(sizes[UNK]) == (6 + 3 + 6 + 2 + 3) / 5


def test_pieces_inside_a_word_have_no_space() -> None:
    tokenizer = make_tokenizer(TEXTS, DataConfig(vocab_size=600), None)
    sizes = token_bytes(tokenizer)
    pieces = {t: i for t, i in tokenizer.get_vocab().items() if t.startswith("##") and t.isascii()}
    assert len(pieces) > 20
    assert all(float(sizes[token]) == len(text) - 2 for text, token in pieces.items())
    assert str(sizes.dtype) == "torch.float32"

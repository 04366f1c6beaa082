"""Which tokens begin a word, in every kind of vocabulary."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models

from engine.data.documents import DataError
from engine.data.special_tokens import SPECIAL_TOKENS
from engine.data.tokenizers import encode_rows, make_tokenizer
from engine.data.word_starts import word_starts
from presets.schema import DataConfig
from tests.fakes.hub_texts import passages

TEXTS = [text.lower() for text in passages(60)]
SENTENCE = "the unconstitutionality of self-government, and its republics"


def words(kind: str, text: str) -> list[str]:
    """The text cut before every token that begins a word; as the tokens are written."""
    tokenizer = make_tokenizer(TEXTS, DataConfig(tokenizer=kind, vocab_size=500), None)  # type: ignore[arg-type]
    starts = word_starts(tokenizer)
    assert len(starts) == tokenizer.get_vocab_size()
    found: list[str] = []
    for token in encode_rows(tokenizer, [text])[0]:
        written = tokenizer.id_to_token(token)
        if starts[token]:
            found.append("")
        found[-1] += written.removeprefix("##")
    return [word.replace("Ġ", "").replace("▁", "") for word in found]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "bytes"])
def test_the_tokens_of_a_word_stand_together_and_a_mark_by_itself(kind: str) -> None:
    hyphen = ["-", "government"] if kind == "wordpiece" else ["-government"]
    spaced = f" {SENTENCE}" if kind == "bytes" else SENTENCE
    expected = ["the", "unconstitutionality", "of", "self", *hyphen, ",", "and", "its", "republics"]
    assert words(kind, spaced) == expected


def test_every_token_of_a_word_vocabulary_is_a_word() -> None:
    tokenizer = make_tokenizer(TEXTS, DataConfig(tokenizer="word", vocab_size=500), None)
    assert bool(word_starts(tokenizer).all())


def test_letters_of_other_scripts_go_on_with_a_word_and_white_space_begins_one() -> None:
    assert words("bytes", " naïve\ncafé") == ["naÃ¯ve", "ĊcafÃ©"]


def test_a_vocabulary_that_marks_ends_is_refused_with_advice() -> None:
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, "a</w>", "a"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], end_of_word_suffix="</w>"))
    with pytest.raises(DataError, match="switch whole words off"):
        word_starts(tokenizer)

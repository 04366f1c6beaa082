"""Tokenizers: learned of every kind, taken from elsewhere, and shown to people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from engine.data.documents import DataError
from engine.data.existing_tokenizer import remapped
from engine.data.tokenizers import (
    MASK,
    SPECIAL_TOKENS,
    UNK,
    encode_probe,
    encode_rows,
    load_tokenizer,
    make_tokenizer,
    token_text,
)
from presets.schema import DataConfig, RunConfig
from runs.folder import create_run
from tests.fakes.hub import LoopbackHub
from tests.fakes.hub_texts import passages

TEXTS = [text.lower() for text in passages(60)]
STRANGE = [
    "naïve café 中文 😀",
    "two  spaces\tand a tab\nand lines",
    "a [MASK] and [CLS] [SEP] in the data",
    "x" * 300,
]
LEARNED = ["word", "wordpiece", "bpe", "unigram", "bytes"]


def learned(kind: str, vocab_size: int = 600, texts: list[str] = TEXTS) -> Tokenizer:
    return make_tokenizer(texts, DataConfig(tokenizer=kind, vocab_size=vocab_size), None)


@pytest.mark.parametrize("kind", LEARNED)
def test_the_special_tokens_come_first_and_the_file_reads_back(kind: str, tmp_path: Path) -> None:
    tokenizer = learned(kind)
    assert [tokenizer.id_to_token(index) for index in range(5)] == SPECIAL_TOKENS
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    assert encode_rows(load_tokenizer(path), TEXTS + STRANGE) == encode_rows(tokenizer, TEXTS + STRANGE)
    assert tokenizer.get_vocab_size() == (261 if kind == "bytes" else 600)


@pytest.mark.parametrize("kind", LEARNED)
def test_a_mask_in_the_data_is_text_and_in_a_probe_is_the_mask(kind: str) -> None:
    tokenizer = learned(kind)
    (ids,) = encode_rows(tokenizer, ["of the [MASK] and [CLS] [PAD] states"])
    assert not {0, 2, 3, MASK} & set(ids)
    probe = encode_probe(tokenizer, "of the [MASK] states")
    assert probe.count(MASK) == 1
    without = encode_rows(tokenizer, ["of the states"])[0]
    if kind != "bytes":  # there the mask stands for one byte, and spaces stay
        assert [token for token in probe if token != MASK] == without


@pytest.mark.parametrize("kind", ["bpe", "bytes"])
def test_with_bytes_below_nothing_is_unknown_and_nothing_is_lost(kind: str) -> None:
    tokenizer = learned(kind)
    for row, ids in zip(STRANGE, encode_rows(tokenizer, STRANGE), strict=True):
        assert UNK not in ids
        assert tokenizer.decode(ids, skip_special_tokens=False).removeprefix(" ") == row.lower()


def test_bytes_are_numbered_as_bytes_and_learn_nothing() -> None:
    def never() -> Any:
        raise AssertionError("texts were read")
        yield ""

    tokenizer = make_tokenizer(never(), DataConfig(tokenizer="bytes"), None)
    assert encode_rows(tokenizer, ["aé "]) == [[byte + 5 for byte in "aé ".encode()]]


@pytest.mark.parametrize("kind", LEARNED)
def test_a_vocabulary_larger_than_the_text_can_fill_is_smaller(kind: str) -> None:
    tokenizer = learned(kind, vocab_size=50_000, texts=["a few words and a few more words here"] * 3)
    assert 5 < tokenizer.get_vocab_size() < 500


def test_a_vocabulary_too_small_for_the_letters_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match=r"unigram tokenizer of 32 entries.*choose a larger vocabulary"):
        learned("unigram", vocab_size=32, texts=["".join(map(chr, range(0x4E00, 0x4E60)))])


def test_an_error_of_the_source_comes_through_the_trainer() -> None:
    def breaks() -> Any:
        yield "a first text"
        raise DataError("the source broke")

    with pytest.raises(DataError, match=r"^the source broke$"):
        make_tokenizer(breaks(), DataConfig(tokenizer="bpe"), None)


def test_known_words_are_the_vocabulary_in_their_order() -> None:
    tokenizer = make_tokenizer((), DataConfig(tokenizer="word"), ("zebra", "ant"))
    assert encode_rows(tokenizer, ["ant zebra cow"]) == [[6, 5, UNK]]


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("word", "the", ["the"]),
        ("bpe", " of the", ["of", "the"]),
        ("unigram", "of the", ["of", "the"]),
        ("bytes", "a é\n", ["a", "␣", "\\xc3", "\\xa9", "\\n"]),
    ],
)
def test_tokens_are_shown_as_they_are_written(kind: str, text: str, shown: list[str]) -> None:
    tokenizer = learned(kind)
    assert [token_text(tokenizer, token) for token in encode_rows(tokenizer, [text])[0]] == shown
    assert token_text(tokenizer, MASK) == "[MASK]" and token_text(tokenizer, 10**6) == "?"


def test_a_part_that_continues_a_word_is_shown_as_one() -> None:
    for kind in ("wordpiece", "bpe", "unigram"):
        tokenizer = learned(kind, vocab_size=400)
        first, *others = [
            token_text(tokenizer, token) for token in encode_rows(tokenizer, ["disproportionately"])[0]
        ]
        assert others and not first.startswith("…") and all(part.startswith("…") for part in others)
        assert "".join([first, *others]).replace("…", "") == "disproportionately"


def roberta() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.enable_truncation(20)
    return tokenizer


def gpt2() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet))
    tokenizer.add_special_tokens(["<|endoftext|>", "<|other|>"])
    return tokenizer


def bert() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=500, special_tokens=special))
    tokenizer.enable_padding()
    return tokenizer


def t5() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        TEXTS, trainers.UnigramTrainer(vocab_size=400, special_tokens=special, unk_token="<unk>")
    )
    tokenizer.add_special_tokens(["<extra_id_0>"])
    return tokenizer


def words() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(vocab_size=300, special_tokens=["<unk>"]))
    return tokenizer


OURS = {"<pad>": "[PAD]", "<unk>": "[UNK]", "<s>": "[CLS]", "</s>": "[SEP]", "<mask>": "[MASK]"}


THEIRS = [roberta, gpt2, bert, t5, words]


@pytest.mark.parametrize("make", THEIRS)
def test_a_remapped_tokenizer_gives_the_same_tokens(make: Callable[[], Tokenizer]) -> None:
    original = make()
    ours = remapped(original.to_str())
    original.no_truncation()
    original.no_padding()
    assert [ours.id_to_token(index) for index in range(5)] == SPECIAL_TOKENS
    for text in [*TEXTS, "naïve café 中文 😀 qqq", "two  spaces\tand a tab", "Upper CASE words"]:
        (ids,) = encode_rows(ours, [text])
        wanted = original.encode(text, add_special_tokens=False)
        tokens = [original.id_to_token(token) for token in wanted.ids]
        assert [ours.id_to_token(token) for token in ids] == [OURS.get(token, token) for token in tokens]
    kept = [token for token in by_id(original) if token not in OURS and token not in SPECIAL_TOKENS]
    assert [token for token in by_id(ours)[5:] if token in kept] == [t for t in kept if t != "<|endoftext|>"]
    (ids,) = encode_rows(ours, ["a [MASK] and <mask> and [CLS] of data"])
    assert not {0, 2, 3, MASK} & set(ids)
    assert encode_probe(ours, "of the [MASK] states").count(MASK) == 1


@pytest.mark.parametrize("kind", LEARNED)
def test_a_tokenizer_of_ours_comes_back_as_it_was_written(kind: str) -> None:
    text = learned(kind).to_str()
    assert remapped(text).to_str() == text
    closed = make_tokenizer((), DataConfig(), ("red", "green")).to_str()
    assert remapped(closed).to_str() == closed


def test_what_was_remapped_once_stays_and_what_would_mistake_texts_for_masks_is_remapped() -> None:
    for make in THEIRS:
        once = remapped(make().to_str()).to_str()
        assert remapped(once).to_str() == once
    theirs = learned("word")
    theirs.normalizer = normalizers.NFC()  # not lowercased, so that the name can be met
    theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    row = "of the [MASK] and [CLS] states"
    assert MASK in encode_rows(theirs, [row])[0]
    assert not {0, 2, 3, MASK} & set(encode_rows(remapped(theirs.to_str()), [row])[0])


def test_a_tokenizer_is_taken_from_a_file_a_run_or_the_hub(
    hub: LoopbackHub, runs_path: Path, tmp_path: Path
) -> None:
    text = roberta().to_str()
    file = tmp_path / "theirs.json"
    file.write_text(text, encoding="utf-8")
    hub.add_file("model", "someone/roberta", "tokenizer.json", text.encode())
    wanted = encode_rows(remapped(text), TEXTS)
    run = create_run(runs_path, RunConfig())
    checkpoint = run.checkpoints_dir / "step-00000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "tokenizer.json").write_text(text, encoding="utf-8")
    (run.checkpoints_dir / "last").write_text("step-00000001", encoding="utf-8")
    for reference in (str(file), f"run:{run.id}", "someone/roberta"):
        data = DataConfig(tokenizer="existing", tokenizer_from=reference)
        assert encode_rows(make_tokenizer((), data, None), TEXTS) == wanted


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("/nowhere/tokenizer.json", "/nowhere/tokenizer.json cannot be read"),
        ("run:never", "no run 'never' with a checkpoint"),
        ("someone/else", "no file 'someone/else', and the hub has no model of that name"),
        ("someone/empty", "no tokenizer.json on the hub"),
    ],
)
def test_a_tokenizer_that_is_not_there_is_a_clear_error(hub: LoopbackHub, reference: str, words: str) -> None:
    hub.add_file("model", "someone/empty", "README.md", b"nothing")
    with pytest.raises(DataError, match=words):
        make_tokenizer((), DataConfig(tokenizer="existing", tokenizer_from=reference), None)


def test_a_file_that_is_no_tokenizer_is_a_clear_error(tmp_path: Path) -> None:
    for content in ("no json", "{}", json.dumps({"model": {"type": "Magic", "vocab": {}}})):
        path = tmp_path / "tokenizer.json"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=f"{path}: this is no tokenizer.json"):
            make_tokenizer((), DataConfig(tokenizer="existing", tokenizer_from=os.fspath(path)), None)


def by_id(tokenizer: Tokenizer) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)

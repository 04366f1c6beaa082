"""The rank of the word that belongs in a place: over the whole vocabulary, in every kind of tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tokenizers import Tokenizer

from engine.data.tokenizers import CLS, encode_probe, make_tokenizer, token_text
from engine.expected_words import label_word, mask_words
from engine.models.build import build_model
from engine.models.transformer import Transformer
from engine.probes import ProbeError, probe, require_room, word_notes
from engine.trainer import Trainer
from presets.schema import DataConfig, RunConfig
from runs.events import Expected, Notice, Probed, decode_event
from runs.records import RecordTail
from tests.fakes.hub_texts import passages
from tests.tiny import new_run, prepare_attempt, tiny_config, train

TEXTS = [text.lower() for text in passages(60)]
VOCAB = 300


def parts(kind: str, tokenizer: str = "word", **settings: Any) -> tuple[Transformer, Tokenizer, RunConfig]:
    config = tiny_config(objective__kind=kind, model__init_std=0.5, data__sequence_length=32, **settings)
    made = make_tokenizer(TEXTS, DataConfig(tokenizer=tokenizer, vocab_size=VOCAB), None)  # type: ignore[arg-type]
    size = made.get_vocab_size()
    model = build_model(config, size, ("bad", "good") if kind == "classification" else ())
    model.initialise(seed=2)
    return model, made, config


def test_the_likeliest_word_has_rank_1_and_the_next_ones_follow() -> None:
    model, tokenizer, config = parts("mlm", probes__top_k=8)
    shown = probe(model, tokenizer, "the [MASK] of", config).masks[0]
    for place, candidate in enumerate(shown, 1):
        if not candidate.token.isalpha():
            continue
        (word,) = probe(model, tokenizer, "the [MASK] of", config, (candidate.token,)).expected
        assert (word.rank, word.num_tokens) == (place, 1)
        assert word.probability == pytest.approx(candidate.probability)


def test_each_mask_has_its_own_word() -> None:
    model, tokenizer, config = parts("mlm", probes__top_k=50)
    result = probe(model, tokenizer, "the [MASK] of the [MASK]", config, ("the", "of"))
    for word, mask in zip(result.expected, result.masks, strict=True):
        place = [candidate.token for candidate in mask].index(word.word) + 1 if word.rank <= 50 else word.rank
        assert word.rank == place
    assert [word.word for word in result.expected] == ["the", "of"]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "bytes"])
def test_a_word_in_several_pieces_is_followed_by_the_first_as_it_is_in_its_place(kind: str) -> None:
    _, tokenizer, _ = parts("mlm", kind)
    text, word = "the [MASK] of", "the"
    ids = encode_probe(tokenizer, text)
    probabilities = torch.rand((1, tokenizer.get_vocab_size()), generator=torch.Generator().manual_seed(1))
    for written in (word, "zzqx"):
        (found,) = mask_words(tokenizer, text, (written,), ids, probabilities)
        whole = encode_probe(tokenizer, text.replace("[MASK]", written))
        if not found.rank:
            assert kind in ("wordpiece", "unigram"), "a byte is never unknown"
            continue
        assert found.num_tokens == len(whole) - len(ids) + 1
        assert found.token == token_text(tokenizer, whole[1 if kind != "bytes" else len("the ")])


def test_a_word_that_the_vocabulary_has_not_is_said_and_has_no_rank() -> None:
    model, tokenizer, config = parts("mlm")
    result = probe(model, tokenizer, "the [MASK]", config, ("zzqx",))
    assert result.expected == (Expected("zzqx"),)
    assert word_notes([result]) == ("'zzqx' is not in the vocabulary and has no rank",)


def test_the_word_that_comes_next_is_ranked_for_a_causal_model() -> None:
    model, tokenizer, config = parts("clm", "wordpiece", probes__temperature=0.0, probes__new_tokens=1)
    result = probe(model, tokenizer, "the people of", config, ("the",))
    (word,) = result.expected
    model.eval()
    ids = [CLS, *encode_probe(tokenizer, "the people of")]
    scores = model.logits(model(torch.tensor([ids]), None)[0, -1]).detach()
    assert word.rank == 1 + int((scores > scores[tokenizer.token_to_id("the")]).sum())
    assert result.generated, "and it goes on as before"


def test_a_label_is_ranked_among_the_labels() -> None:
    model, tokenizer, config = parts("classification")
    result = probe(model, tokenizer, "the people", config, ("GOOD",))
    order = [candidate.token for candidate in result.masks[0]]
    assert result.expected[0].rank == order.index("good") + 1 and result.expected[0].token == "good"
    assert label_word(("a", "A"), "a", torch.tensor([0.2, 0.8])) == (Expected("a", "a", 2, pytest.approx(0.2)),)
    assert label_word(("Aa", "aA"), "aa", torch.tensor([0.2, 0.8])) == (Expected("aa"),), "two are alike"


@pytest.mark.parametrize("kind", ["mlm", "clm"])
def test_a_text_that_is_too_long_is_found_out_as_probing_would(kind: str) -> None:
    model, tokenizer, config = parts(kind)
    end = "[MASK]" if kind == "mlm" else ""
    for count in range(26, 34):
        text = "the " * count + end
        asked = require_error(lambda text=text: require_room(tokenizer, text, config, model.length))
        probed = require_error(lambda text=text: probe(model, tokenizer, text, config))
        assert asked == probed
    assert "the model takes 32" in asked


def require_error(call: Any) -> str:
    try:
        call()
    except ProbeError as error:
        return str(error)
    return ""


def test_a_run_records_the_ranks_and_says_once_which_words_it_cannot_follow(tmp_path: Path) -> None:
    texts = ("the people of the [MASK] => people", "the [MASK] => zzqx")
    run = new_run(tmp_path / "runs", tiny_config(probes__texts=texts))
    train(run)
    events = [decode_event(record) for record in RecordTail(run.attempt(1).events_file).poll_all()]
    probed = [event for event in events if isinstance(event, Probed)]
    assert [event.step for event in probed] == [0, 10, 20]
    for event in probed:
        first, second = event.probes
        assert first.text == "the people of the [MASK]" and 0 < first.expected[0].rank <= 200
        assert 0 < first.expected[0].probability < 1
        assert second.expected == (Expected("zzqx"),)
    assert sum("'zzqx' is not in the vocabulary" in str(event) for event in events) == 1


def test_why_a_sentence_cannot_be_probed_is_said_once_also_where_that_comes_later(tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", tiny_config(probes__texts=("the people of the [MASK] => people",)))
    prepared, world, recorder, stop = prepare_attempt(run)
    try:
        examiner = Trainer(prepared, world, recorder, stop).examiner
        prepared.model.train()
        examiner.probe(prepared.state)
        with torch.no_grad():
            prepared.model.head_bias.fill_(float("nan"))
        for step in (10, 20):
            examiner.probe(msgspec.structs.replace(prepared.state, step=step))
    finally:
        prepared.samples.close()
    events = [decode_event(record) for record in RecordTail(run.attempt(1).events_file).poll_all()]
    assert [(event.step, len(event.probes)) for event in events if isinstance(event, Probed)] == [
        (0, 1), (10, 0), (20, 0),
    ]  # fmt: skip
    (said,) = [event for event in events if isinstance(event, Notice) and "probe left out" in event.message]
    assert said.step == 10 and "its weights are broken" in said.message


def test_probings_of_earlier_versions_expect_nothing() -> None:
    old = {"kind": "probed", "step": 3, "probes": [{"text": "a [MASK]", "masks": [[]], "num_unknown": 0}]}
    event = decode_event(old)
    assert isinstance(event, Probed) and event.probes[0].expected == ()

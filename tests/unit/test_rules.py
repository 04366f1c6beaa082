"""Rules across fields: each names the fields it blames, and a shipped preset breaks none."""

from __future__ import annotations

from typing import Any

import pytest

from presets import config as configs
from presets import corpora
from presets.catalog import shipped_presets
from presets.corpora import ALIASES, USUAL_CONFIGURATIONS
from presets.rules import broken_rules
from presets.schema import DataConfig, RunConfig

LABELLED = {
    "objective.kind": "classification",
    "data.source": "hub",
    "data.dataset": "stanfordnlp/imdb",
    "data.long_documents": "truncate",
}


@pytest.mark.parametrize(
    ("values", "paths", "words"),
    [
        ({"model.num_heads": 3}, ("model.num_heads",), "does not divide hidden size 128; try 2 or 4"),
        (
            {"model.positions": "rotary", "model.hidden_size": 6, "model.num_heads": 2},
            ("model.positions", "model.num_heads"),
            "even head size",
        ),
        ({"data.dataset": "bible"}, ("data.dataset",), "not an embedded corpus"),
        ({"data.source": "hub", "data.dataset": "a/b/c"}, ("data.dataset",), "not the name of a hub dataset"),
        ({"data.source": "hub", "data.dataset": "squad"}, ("data.dataset",), "has no owner: write owner/name"),
        (
            {"data.source": "hub", "data.dataset": "wikipedia"},
            ("data.dataset_config",),
            "several configurations; name one, such as 20231101.en",
        ),
        (
            {"data.source": "hub", "data.dataset": "imdb", "data.access": "stream"},
            ("data.access", "train.max_steps"),
            "the length of a stream is not known before it is read; set train.max_steps",
        ),
        ({"data.access": "stream"}, ("data.access", "data.source"), "only a dataset of the hub can be streamed"),
        (
            {"curriculum.start_length": 200},
            ("curriculum.start_length", "data.sequence_length"),
            "the first length 200 is above the sequence length 128",
        ),
        ({"curriculum.start_length": 4}, ("curriculum.start_length",), "choose 8 or more"),
        (
            {
                "data.source": "synthetic",
                "data.dataset": "arithmetic",
                "data.tokenizer": "word",
                "data.vocab_size": 200,
                "data.min_words": 1,
                "data.deduplicate": False,
                "curriculum.start_length": 16,
            },
            ("curriculum.start_length", "data.source"),
            "a grammar's sentences must stay whole",
        ),
        (
            {
                "data.source": "hub",
                "data.dataset": "imdb",
                "data.access": "stream",
                "train.max_steps": 9,
                "curriculum.order": "rarity",
            },
            ("curriculum.order", "data.access"),
            "the easy sequences of a stream are not known before it is read",
        ),
        ({"data.source": "files", "data.dataset": " "}, ("data.dataset",), "name a file or a folder"),
        ({"data.tokenizer": "existing"}, ("data.tokenizer_from",), "name the tokenizer"),
        ({"data.tokenizer": "bpe", "data.vocab_size": 200}, ("data.vocab_size",), "choose 262 or more"),
        ({"data.text_column": " "}, ("data.text_column",), "name the column"),
        (
            {"optim.schedule": "wsd", "optim.warmup_ratio": 0.6, "optim.decay_ratio": 0.6},
            ("optim.warmup_ratio", "optim.decay_ratio"),
            "longer than the run",
        ),
        (
            {"objective.mask_token_share": 0.8, "objective.random_token_share": 0.3},
            ("objective.mask_token_share", "objective.random_token_share"),
            "more than 1",
        ),
        ({"probes.texts": ["a [MASK]", "nothing hidden"]}, ("probes.texts",), "sentence 2 has no"),
        (
            {"objective.kind": "clm", "probes.texts": ["we the", "a [MASK]"]},
            ("probes.texts",),
            "sentence 2 has a [MASK], and a causal model goes on from a beginning",
        ),
        ({"objective.kind": "nsp"}, ("model.segments", "objective.kind"), "tells the first text from the second"),
        ({"objective.kind": "sop", "model.segments": 1}, ("model.segments", "objective.kind"), "choose 2"),
        (
            {"objective.kind": "clm", "probes.texts": [], "objective.mask_rate": 0.3},
            ("objective.mask_rate", "objective.kind"),
            "nothing is hidden here; set mask_rate back to 0.15",
        ),
        (
            {"objective.kind": "clm", "probes.texts": [], "objective.mask_rate_end": 0.3},
            ("objective.mask_rate_end", "objective.kind"),
            "set mask_rate_end back to 0",
        ),
        (
            {**LABELLED, "objective.whole_words": True},
            ("objective.whole_words", "objective.kind"),
            "nothing is hidden here",
        ),
        (
            {
                "objective.kind": "nsp",
                "model.segments": 2,
                "objective.mlm_weight": 0.0,
                "objective.whole_words": True,
            },
            ("objective.whole_words", "objective.mlm_weight"),
            "nothing is hidden here",
        ),
        ({"model.segments": 2}, ("model.segments", "objective.kind"), "segments are for pairs of texts"),
        ({"launch.rendezvous": "node1"}, ("launch.rendezvous",), "'node1' is not HOST:PORT"),
        ({"model.start_from": "warm-otter"}, ("model.start_from",), "write run:NAME, run:NAME@best"),
        ({"model.start_from": "run: "}, ("model.start_from",), "names no run"),
        ({"objective.kind": "classification"}, ("data.source", "objective.kind"), "this text has no labels"),
        ({**LABELLED, "data.long_documents": "split"}, ("data.long_documents", "objective.kind"), "a whole text"),
        ({**LABELLED, "data.label_column": " "}, ("data.label_column",), "name the column that holds the labels"),
        ({**LABELLED, "data.label_column": "text"}, ("data.label_column", "data.text_column"), "cannot both be"),
        (
            {**LABELLED, "data.access": "stream", "train.max_steps": 9},
            ("data.access", "objective.kind"),
            "labels of a stream are not known",
        ),
    ],
)
def test_a_broken_rule_names_the_fields_it_blames(
    values: dict[str, Any], paths: tuple[str, ...], words: str
) -> None:
    (problem,) = broken_rules(configs.with_values(RunConfig(), values))
    assert problem.paths == paths
    assert words in problem.message


@pytest.mark.parametrize("preset", shipped_presets(), ids=lambda preset: preset.name)
def test_shipped_presets_and_the_defaults_break_no_rule(preset: Any) -> None:
    assert configs.check(preset.config) == ()
    assert configs.check(RunConfig()) == ()


@pytest.mark.parametrize("values", [
    {"objective.kind": "nsp", "model.start_from": "run:warm-otter"},
    {"model.segments": 2, "model.start_from": "run:warm-otter"},
    {**LABELLED, "model.segments": 2},
    {"launch.rendezvous": "node1:29500"},
])  # fmt: skip
def test_what_a_checkpoint_brings_or_a_later_launch_needs_breaks_no_rule(values: dict[str, Any]) -> None:
    assert broken_rules(configs.with_values(RunConfig(), values)) == ()


def test_a_head_count_that_is_advised_does_divide_the_size() -> None:
    (problem,) = broken_rules(configs.with_values(RunConfig(), {"model.hidden_size": 90, "model.num_heads": 4}))
    advised = [int(word) for word in problem.message.split("try ")[1].split(" or ")]
    assert advised and all(90 % number == 0 for number in advised)


def test_the_named_datasets_and_a_stream_with_steps_break_no_rule() -> None:
    for name in ALIASES:
        configuration = USUAL_CONFIGURATIONS.get(ALIASES[name], "")
        values = {"data.source": "hub", "data.dataset": name, "data.dataset_config": configuration}
        streamed = {**values, "data.access": "stream", "train.max_steps": 10}
        assert broken_rules(configs.with_values(RunConfig(), streamed)) == ()
        data = configs.with_values(RunConfig(), values).data
        assert corpora.facts(data) is not None, f"nothing is known of {name}"


def test_a_dataset_that_is_part_of_another_has_a_cache_of_its_own() -> None:
    part = DataConfig(source="hub", dataset="pile-cc")
    whole = DataConfig(source="hub", dataset="monology/pile-uncopyrighted")
    assert corpora.token_cache_key(part) != corpora.token_cache_key(whole)
    named = DataConfig(source="hub", dataset="stanfordnlp/imdb")
    assert corpora.token_cache_key(DataConfig(source="hub", dataset="imdb")) == corpora.token_cache_key(named)


def test_the_embedded_corpus_takes_the_place_of_a_stream_whole() -> None:
    values = {
        "data.source": "hub",
        "data.dataset": "c4",
        "data.dataset_config": "en",
        "data.access": "stream",
        "data.shuffle": False,
        "data.shuffle_buffer": 7,
        "train.max_steps": 10,
    }
    replaced = corpora.with_embedded_corpus(configs.with_values(RunConfig(), values))
    assert replaced.data == DataConfig()
    assert broken_rules(replaced) == ()


def test_a_label_tells_where_the_text_comes_from() -> None:
    labels = {
        "addresses (embedded)": DataConfig(),
        "c4 en (hub)": DataConfig(source="hub", dataset="c4", dataset_config="en"),
        "books (files)": DataConfig(source="files", dataset="/some/where/books/"),
        "a.csv (files)": DataConfig(source="files", dataset="~/a.csv"),
        "markov (synthetic)": DataConfig(source="synthetic", dataset="markov"),
    }
    assert [corpora.label(data) for data in labels.values()] == list(labels)

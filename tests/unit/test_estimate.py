"""Estimates: parameters exactly, everything else near what is known, nothing invented."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from presets import corpora, reference
from presets.catalog import find_preset, shipped_presets
from presets.config import with_values
from presets.estimate import Machine, TokenCounts, count_parameters, estimate
from presets.schema import RunConfig
from presets.sequence_counts import tokens_per_word, vocab_size

MACHINE = Machine(num_cores=2, memory_bytes=16_000_000_000, num_gpus=0)
TINY = {"data.vocab_size": 100, "data.sequence_length": 16, "model.hidden_size": 8, "model.intermediate_size": 12}


def test_parameters_are_counted_by_the_shapes_of_the_model() -> None:
    counted = count_parameters(with_values(RunConfig(), {**TINY, "model.num_layers": 1}))
    assert counted.embedding == 100 * 8 + 16 * 8
    block = 2 * 8 + (3 * 8 * 8 + 3 * 8) + (8 * 8 + 8) + 2 * 8 + (8 * 12 + 12) + (12 * 8 + 8)
    assert counted.encoder == block + 2 * 8
    assert counted.head == 100
    assert counted.total == counted.embedding + counted.encoder + counted.head


def test_rotary_positions_have_no_parameters_and_layers_add_up() -> None:
    learned = count_parameters(with_values(RunConfig(), TINY))
    rotary = count_parameters(with_values(RunConfig(), {**TINY, "model.positions": "rotary"}))
    assert learned.embedding - rotary.embedding == 16 * 8
    one = count_parameters(with_values(RunConfig(), {**TINY, "model.num_layers": 1}))
    three = count_parameters(with_values(RunConfig(), {**TINY, "model.num_layers": 3}))
    assert (three.encoder - 2 * 8) == 3 * (one.encoder - 2 * 8)


def test_the_quickstart_is_as_large_as_its_model() -> None:
    assert count_parameters(find_preset("quickstart").config).total == 781_216


def test_steps_follow_from_epochs_rows_and_the_global_batch() -> None:
    values = {
        "train.epochs": 2, "train.batch_size": 8, "train.accumulation_steps": 3,
        "launch.num_processes": 2, "launch.device": "cpu",
    }  # fmt: skip
    figures = estimate(
        with_values(RunConfig(), values), MACHINE, TokenCounts(train_rows=1000, train_tokens=90_000)
    )
    assert figures.steps.value == 42  # 2000 sequences / 48, the last update fills up from the next epoch
    assert figures.tokens.value == 42 * 48 * 90


def test_a_set_number_of_steps_wins_over_epochs() -> None:
    assert estimate(with_values(RunConfig(), {"train.max_steps": 77}), MACHINE).steps.value == 77


def test_the_embedded_corpus_is_estimated_within_five_percent_of_what_was_counted() -> None:
    """Counted: 233 addresses, 2,397,140 WordPiece-4k tokens, of which 9 in 10 are for training."""
    config = find_preset("quickstart").config
    rows = estimate(config, MACHINE).rows.value
    assert rows == pytest.approx(0.9 * 2_397_140 / 126 + 0.9 * 233 / 2, rel=0.05)


def test_truncated_documents_give_one_sequence_each() -> None:
    config = with_values(find_preset("v1-imdb-small").config, {"data.validation_fraction": 0.1})
    figures = estimate(config, MACHINE)
    assert figures.rows.value == 22_500
    assert figures.tokens.value is not None and figures.steps.value is not None
    assert 80 < figures.tokens.value / figures.steps.value / 32 < 128


def test_max_samples_limits_what_is_read() -> None:
    config = with_values(find_preset("v1-imdb-small").config, {"data.max_samples": 1000})
    assert estimate(config, MACHINE).rows.value == 900


def test_of_an_unknown_dataset_nothing_is_invented() -> None:
    config = with_values(RunConfig(), {"data.source": "hub", "data.dataset": "somebody/something"})
    figures = estimate(config, MACHINE)
    for figure in (figures.rows, figures.steps, figures.tokens, figures.time_s):
        assert figure.value is None
        assert "unknown until" in figure.basis
    fixed = estimate(with_values(config, {"train.max_steps": 10}), MACHINE)
    assert fixed.steps.value == 10 and fixed.time_s.value is not None


def test_measured_counts_win_over_facts() -> None:
    figures = estimate(RunConfig(), MACHINE, TokenCounts(train_rows=5, train_tokens=500))
    assert figures.rows.value == 5
    assert "counted" in figures.rows.basis


@pytest.mark.parametrize("name", [preset.name for preset in shipped_presets()])
def test_every_presets_model_has_exactly_the_counted_parameters(name: str) -> None:
    """The engine's own model, at the preset's full vocabulary."""
    from engine.models.build import build_model

    config = find_preset(name).config
    counted = count_parameters(config)
    known = corpora.facts(config.data)
    labels = tuple(map(str, range(known.labels if known and config.objective.has_labels else 0)))
    by_part: Counter[str] = Counter()
    for parameter_name, parameter in build_model(config, vocab_size(config.data), labels).named_parameters():
        by_part[parameter_name.split(".")[0]] += parameter.numel()
    embeddings = ("token_embedding", "position_embedding", "segment_embedding")
    heads = ("head_bias", "head_weight", "head_dense", "head_norm", "pooler", "classifier")
    assert sum(by_part.pop(part, 0) for part in embeddings) == counted.embedding
    assert sum(by_part.pop(part, 0) for part in heads) == counted.head
    assert by_part.total() == counted.encoder


def test_the_flops_of_a_known_model_follow_the_formula() -> None:
    """One layer, width 2, inner 3, 100 words, 8 positions, half of them predicted, 5 steps of 4 sequences."""
    values = {
        "model.num_layers": 1, "model.hidden_size": 2, "model.num_heads": 1, "model.intermediate_size": 3,
        "data.vocab_size": 100, "data.sequence_length": 8, "objective.mask_rate": 0.5,
        "train.max_steps": 5, "train.batch_size": 4,
    }  # fmt: skip
    weights = 4 * 2 * 2 + 2 * 2 * 3
    predicted = 3  # half of those between [CLS] and [SEP]
    per_sequence = 8 * (6 * weights + 12 * 1 * 8 * 2) + predicted * 6 * 100 * 2
    flops = estimate(with_values(RunConfig(), values), MACHINE).flops
    assert flops.value == pytest.approx(5 * 4 * per_sequence)
    assert "6 × weights" in flops.basis and "12 × layers" in flops.basis


def test_empty_rows_of_wikitext_are_taken_off() -> None:
    """1,165,029 of its 1,801,350 rows are not empty; titles of few words are among them."""
    config = with_values(
        find_preset("v2-hf-medium").config, {"data.max_samples": 0, "data.validation_fraction": 0.1}
    )
    rows = estimate(config, MACHINE).rows
    assert 0.95 * 0.9 * 1_165_029 < (rows.value or 0) < 0.9 * 1_165_029
    assert "64% are long enough" in rows.basis


def test_a_stream_of_set_steps_says_how_many_passes_it_makes() -> None:
    steps = estimate(find_preset("h200_8gpu_fast").config, MACHINE).steps
    assert steps.value == 2637 and "about 4.7 passes" in steps.basis


def test_files_are_unknown_until_they_are_tokenised() -> None:
    config = with_values(RunConfig(), {"data.source": "files", "data.dataset": "/somewhere/texts"})
    assert estimate(config, MACHINE).rows.value is None
    counted = estimate(config, MACHINE, TokenCounts(train_rows=640, train_tokens=64_000))
    assert (counted.rows.value, counted.steps.value) == (640, 60)


@pytest.mark.parametrize(("grammar", "words"), [("templates", 994), ("random", 3995), ("markov", 4)])
def test_a_grammar_is_known_exactly_before_it_is_made(grammar: str, words: int) -> None:
    values = {
        "data.source": "synthetic",
        "data.dataset": grammar,
        "data.tokenizer": "word",
        "data.max_samples": 500,
    }
    config = with_values(RunConfig(), values)
    assert vocab_size(config.data) == words + 5
    assert count_parameters(config).head == words + 5
    assert estimate(config, MACHINE).rows.value == 450


def test_a_form_that_is_half_filled_in_is_estimated_without_a_crash() -> None:
    figures = estimate(with_values(RunConfig(), {"data.source": "synthetic"}), MACHINE)
    assert figures.rows.value is None and figures.parameters.total > 0


def test_bytes_have_a_vocabulary_of_their_own_and_make_long_sequences() -> None:
    data = with_values(RunConfig(), {"data.tokenizer": "bytes"}).data
    assert vocab_size(data) == 261
    assert tokens_per_word(data) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe", "unigram"])
def test_a_very_large_vocabulary_has_the_tokens_of_the_largest_that_was_measured(tokenizer: str) -> None:
    values = [
        tokens_per_word(with_values(RunConfig(), {"data.tokenizer": tokenizer, "data.vocab_size": size}).data)
        for size in (500, 1_000, 30_000, 1_000_000)
    ]
    assert values[0] == values[1] > values[2] == values[3] > 1


@pytest.mark.parametrize(("size", "tokens"), [(1_000, 1.864), (4_000, 1.336), (30_000, 1.122), (60_000, 1.122)])
def test_tokens_for_a_word_are_as_measured(size: int, tokens: float) -> None:
    assert tokens_per_word(with_values(RunConfig(), {"data.vocab_size": size}).data) == pytest.approx(tokens)


def test_tokens_for_a_word_fall_as_the_vocabulary_grows() -> None:
    counts = [
        tokens_per_word(with_values(RunConfig(), {"data.vocab_size": n}).data) for n in range(1000, 30_000, 500)
    ]
    assert counts == sorted(counts, reverse=True)


def test_more_of_everything_costs_more_memory_and_time() -> None:
    base = estimate(RunConfig(), MACHINE)
    for values in ({"model.hidden_size": 256}, {"train.batch_size": 64}, {"data.vocab_size": 16_000}):
        grown = estimate(with_values(RunConfig(), {**values, "train.max_steps": 5000}), MACHINE)
        fixed = estimate(with_values(RunConfig(), {"train.max_steps": 5000}), MACHINE)
        assert (grown.memory_bytes.value or 0) > (base.memory_bytes.value or 0)
        assert (grown.time_s.value or 0) > (fixed.time_s.value or 0)


def test_more_cores_take_less_time_and_more_threads_than_cores_do_not() -> None:
    slow, fast = (estimate(RunConfig(), Machine(num_cores=n, num_gpus=0)).time_s.value or 0 for n in (2, 16))
    assert fast < slow / 4
    crowded = estimate(with_values(RunConfig(), {"launch.threads": 64}), MACHINE).time_s.value
    assert crowded == estimate(RunConfig(), MACHINE).time_s.value


def test_a_range_stands_around_the_time_and_a_gpu_admits_that_nothing_was_measured() -> None:
    figure = estimate(RunConfig(), MACHINE).time_s
    assert figure.low is not None and figure.value is not None and figure.high is not None
    assert figure.low < figure.value < figure.high
    gpu = estimate(find_preset("v3-8xh200").config, MACHINE)
    assert gpu.on_gpu and "nothing was measured on a GPU" in gpu.time_s.basis


def test_auto_takes_gpus_only_when_they_were_seen() -> None:
    for num_gpus, on_gpu in ((None, False), (0, False), (1, True)):
        assert estimate(RunConfig(), Machine(num_cores=2, num_gpus=num_gpus)).on_gpu is on_gpu


def test_every_figure_says_what_it_rests_on() -> None:
    for preset in shipped_presets():
        figures = estimate(preset.config, MACHINE)
        for figure in (
            figures.rows,
            figures.steps,
            figures.tokens,
            figures.flops,
            figures.memory_bytes,
            figures.time_s,
        ):
            assert figure.basis.endswith(".")


def test_an_estimate_is_fast_enough_for_every_key() -> None:
    config = find_preset("v3-8xh200").config
    start = time.perf_counter()
    for _ in range(100):
        estimate(config, MACHINE)
    assert (time.perf_counter() - start) / 100 < 0.005


def test_the_reference_page_is_current() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference.reference_markdown(), (
        "run: python -m presets.reference > docs/configuration.md"
    )


def test_memory_follows_the_state_of_each_optimizer_and_the_average_of_weights() -> None:
    def memory(**values: object) -> float:
        changes = {name.replace("__", "."): value for name, value in values.items()}
        return estimate(with_values(RunConfig(), changes), MACHINE).memory_bytes.value or 0

    size = count_parameters(RunConfig())
    assert memory() - memory(optim__algorithm="lion") == 4 * size.total
    assert memory() - memory(optim__algorithm="adamw8bit") == 6 * size.encoder
    assert memory() - memory(optim__algorithm="muon") == 4 * size.encoder
    assert memory(optim__ema_decay=0.999) - memory() == 4 * size.total


def test_sequences_that_grow_cost_their_mean_length_and_the_plan_says_so() -> None:
    plain = with_values(RunConfig(), {"train.max_steps": 10_000, "train.eval_every": 10_000})
    growing = with_values(plain, {"curriculum.start_length": 64, "curriculum.length_share": 1.0})
    counts = TokenCounts(train_rows=1000, train_tokens=128_000)
    before, after = estimate(plain, MACHINE, counts), estimate(growing, MACHINE, counts)
    for name in ("tokens", "flops", "time_s"):
        whole, less = getattr(before, name), getattr(after, name)
        assert 0.7 < less.value / whole.value < 0.8, name
        assert less.basis.endswith("Sequences grow from 64 to 128 tokens, 75% of the full length on average.")
    assert after.tokens.value == pytest.approx(0.75 * before.tokens.value, rel=1e-3)
    short = TokenCounts(train_rows=1000, train_tokens=30_000)  # they fit into the first length already
    assert estimate(growing, MACHINE, short).tokens.value == estimate(plain, MACHINE, short).tokens.value


def test_labels_that_nobody_has_counted_are_said_to_be_assumed() -> None:
    values = {"objective.kind": "classification", "data.source": "files", "data.dataset": "reviews.csv"}
    assert "taken to have 2 labels" in estimate(with_values(RunConfig(), values), MACHINE).parameters_basis
    assert "labels" not in estimate(RunConfig(), MACHINE).parameters_basis

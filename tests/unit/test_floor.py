"""The floor beside a loss: measured on the evaluation's own masks, and shown wherever a loss is."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
import torch

from engine.baselines import measure_floor
from engine.data.batches import SequenceStore
from engine.data.documents import Report
from engine.data.masking import IGNORED
from engine.data.synthetic import exact_losses
from engine.data.token_cache import open_or_build
from engine.data.tokenizers import MASK
from engine.objectives.mlm import MaskedLanguageModelling
from presets import config as configs
from presets.catalog import find_preset
from presets.probe_text import read_probe
from presets.rules import broken_rules
from presets.schema import DataConfig, ObjectiveConfig, RunConfig
from runs.events import Baselines
from runs.folder import create_run
from runs.reader import RunReader
from tests.run_writer import AttemptWriter
from tui.charts.palette import WITHOUT_COLOUR
from tui.charts.picture import draw
from tui.charts.view import ChartView
from tui.cli_lines import Lines, to_beat
from tui.run_charts import CHARTS, spec_of, title_of
from tui.run_words import sentence_of

GRAMMAR = DataConfig(
    source="synthetic", dataset="templates", tokenizer="word", vocab_size=999, sequence_length=12, min_words=1,
    max_samples=500, deduplicate=False, difficulty=5,
)  # fmt: skip
WITH_FLOOR = Baselines(uniform_loss=6.9, unigram_loss=6.2, unigram_accuracy=0.1, floor_loss=4.7941)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """A report that nobody hears."""


def validation(data: DataConfig, caches: Path, report: Report = quiet) -> tuple[SequenceStore, torch.Tensor]:
    """The validation sequences as a run reads them from its token cache, and all of their numbers."""
    cache = open_or_build(data, caches, report)
    store = SequenceStore((shard.validation for shard in cache.shards), data, torch.device("cpu"))
    return store, torch.arange(len(store))


def objective(data: DataConfig) -> MaskedLanguageModelling:
    hidden = data.source == "synthetic"
    return MaskedLanguageModelling(ObjectiveConfig(), torch.ones(data.vocab_size), 0, hides_every_target=hidden)


@pytest.mark.parametrize("name", ["templates", "arithmetic", "markov", "random"])
def test_the_floor_is_the_mean_over_the_very_targets_of_evaluations(name: str, tmp_path: Path) -> None:
    data = msgspec.structs.replace(GRAMMAR, dataset=name, sequence_length=32)
    store, rows = validation(data, tmp_path)
    masked = objective(data)
    floor = measure_floor(data, masked, store, rows)
    batch = masked.frozen_batch(store, rows)
    tokens, _, _ = store.rows(rows)
    losses = exact_losses(data, tokens, batch.positions, batch.targets)
    assert len(losses) == int((batch.targets != IGNORED).sum())
    assert floor == pytest.approx(float(losses.mean()))
    if name == "random":
        assert floor == pytest.approx(math.log(994))


def test_real_text_has_no_floor(tmp_path: Path) -> None:
    store, rows = validation(DataConfig(tokenizer="word", vocab_size=300, max_samples=12), tmp_path)
    assert measure_floor(DataConfig(), objective(DataConfig()), store, rows) is None


def test_evaluations_of_a_grammar_hide_every_target_and_those_of_text_most(tmp_path: Path) -> None:
    store, rows = validation(GRAMMAR, tmp_path)
    shares = {}
    for hides_every_target in (True, False):
        masked = MaskedLanguageModelling(
            ObjectiveConfig(), torch.ones(999), 0, hides_every_target=hides_every_target
        )
        batch = masked.frozen_batch(store, rows)
        is_target = batch.targets >= 0
        is_hidden = batch.inputs.gather(1, batch.positions) == MASK
        shares[hides_every_target] = float(is_hidden[is_target].float().mean())
    assert shares[True] == 1.0
    assert 0.5 < shares[False] < 0.95


def test_lines_and_words_name_the_floor_only_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    without = msgspec.structs.replace(WITH_FLOOR, floor_loss=None)
    expected = "6.9000 by guessing, 6.2000 by frequency alone; the floor is 4.7941 (exact)"
    assert to_beat(WITH_FLOOR) == expected
    assert "floor" not in to_beat(without)
    for kind, words in (("mlm", "word"), ("classification", "label")):
        config = configs.with_values(RunConfig(), {"objective.kind": kind})
        assert f"by {words} frequency" in to_beat(without, config)
    assert "the floor is 4.794 (exact)" in sentence_of(WITH_FLOOR)
    assert "floor" not in sentence_of(without)
    Lines(as_json=False).show(msgspec.to_builtins(WITH_FLOOR))
    assert capsys.readouterr().out.strip() == f"to beat: {expected}"
    Lines(as_json=True).show(msgspec.to_builtins(WITH_FLOOR))
    assert msgspec.json.decode(capsys.readouterr().out)["floor_loss"] == 4.7941


def test_the_loss_chart_has_the_floor_as_a_line_and_in_its_title(runs_path: Path) -> None:
    writer = AttemptWriter(create_run(runs_path, RunConfig(), preset="toy-grammar"))
    writer.start(total_steps=100)
    for step, loss in ((10, 6.0), (50, 5.2), (100, 4.9)):
        writer.train(step, 1.0, loss)
    before = RunReader(writer.folder).poll()
    writer.say(WITH_FLOOR)
    after = RunReader(writer.folder).poll()
    chart = CHARTS[0]
    shown = spec_of(chart, before)
    assert "floor" not in dict(shown.guides) and "floor" not in title_of(chart, before, shown, ChartView())
    assert dict(spec_of(chart, after).guides)["floor"] == 4.7941
    assert "floor 4.794" in title_of(chart, after, spec_of(chart, after), ChartView())
    text = draw(spec_of(chart, after), ChartView(), 80, 20, WITHOUT_COLOUR).text
    assert "floor 4.79" in text, "it is a little below the curve, and the chart makes room for it"


BROKEN: list[tuple[dict[str, object], str, str]] = [
    ({"data.dataset": "klingon"}, "data.dataset", "there is templates, arithmetic, markov, random"),
    ({"data.tokenizer": "bpe"}, "data.tokenizer", "choose word, not bpe"),
    ({"data.vocab_size": 500}, "data.vocab_size", "choose 999 or more"),
    ({"data.sequence_length": 8, "data.difficulty": 5}, "data.sequence_length", "12 tokens"),
    ({"data.min_words": 5, "data.difficulty": 3}, "data.min_words", "has 3 words"),
    ({"data.deduplicate": True}, "data.deduplicate", "would change its floor"),
]


@pytest.mark.parametrize(("values", "path", "words"), BROKEN, ids=[path for _, path, _ in BROKEN])
def test_settings_that_would_make_the_floor_wrong_are_refused(
    values: dict[str, object], path: str, words: str
) -> None:
    config = find_preset("toy-grammar").config
    assert broken_rules(config) == ()
    (problem,) = broken_rules(configs.with_values(config, values))  # type: ignore[arg-type]
    assert problem.paths == (path,)
    assert words in problem.message


@pytest.mark.parametrize("name", ["toy-grammar", "markov", "arithmetic", "random-control"])
def test_the_probes_of_grammar_presets_are_made_of_the_grammars_words(name: str) -> None:
    from engine.data.synthetic import grammar

    config: RunConfig = find_preset(name).config
    words = {*grammar(config.data).words, "[MASK]"}
    for probe in map(read_probe, config.probes.texts):
        assert {*probe.text.split(), *probe.expected} <= words
        assert len(probe.text.split()) + 2 <= config.data.sequence_length

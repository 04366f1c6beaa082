"""From one objective to the next: a small encoder is pretrained, then learns labels, order, or the next word."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.checkpoints import CheckpointError
from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.events import AttemptStarted, Baselines, Evaluated, Event, Notice, Probed, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from runs.references import with_lasting_references
from tests.fakes.hub import use_own_caches
from tests.tiny import new_run, tiny_config, train

GOOD = ["delight", "warm", "bright", "joy", "kind"]
BAD = ["dull", "cold", "grey", "sad", "cruel"]
FILLING = [f"word{number}" for number in range(40)]


@pytest.fixture(autouse=True)
def own_caches(monkeypatch: pytest.MonkeyPatch, isolated: None) -> None:
    """What `datasets` keeps of the files stays with the test."""
    use_own_caches(monkeypatch)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Labelled texts of two sentences; some of a review's words tell its label."""
    draw = random.Random(5)
    lines = ["text,label"]
    for number in range(400):
        label, telling = ("good", GOOD) if number % 2 else ("bad", BAD)
        halves = [" ".join(draw.choices(FILLING, k=3) + draw.choices(telling, k=2)) for _ in range(2)]
        lines.append(f"{halves[0]} . {halves[1]} .,{label}")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join([*lines, "this one has no label at all .,"]) + "\n")
    return path


def config_of(reviews: Path, **values: Value) -> RunConfig:
    every: dict[str, Value] = {
        "data__source": "files",
        "data__dataset": str(reviews),
        "data__max_samples": 0,
        "data__long_documents": "truncate",
        "data__min_words": 1,
        "model__hidden_size": 16,
        "train__eval_rows": 0,
        "probes__texts": (),
    }
    return tiny_config(**{**every, **values})


def events_of(folder: RunFolder) -> Iterator[Event]:
    return (decode_event(record) for record in RecordTail(folder.attempts()[-1].events_file).poll_all())


def pretrained(runs: Path, reviews: Path) -> RunFolder:
    folder = new_run(runs, config_of(reviews, train__max_steps=30, train__eval_every=30))
    assert train(folder)[1].state == "finished"
    return folder


def test_a_pretrained_encoder_learns_to_tell_labels(runs_path: Path, reviews: Path) -> None:
    base = pretrained(runs_path, reviews)
    wanted = config_of(
        reviews,
        model__start_from=f"run:{base.id}@best",
        model__num_layers=1,
        model__dropout=0.1,
        objective__kind="classification",
        objective__label_smoothing=0.05,
        train__max_steps=60,
        train__eval_every=30,
        probes__texts=("word1 delight word2 word3 joy", "grey word7 word8 cruel sad"),
        probes__every=60,
    )
    folder = new_run(runs_path, with_lasting_references(wanted, runs_path))
    trainer, outcome = train(folder)
    assert outcome.state == "finished" and len(trainer.run.model.blocks) == 2, "the model is the base's"
    events = list(events_of(folder))
    said = [event.message for event in events if isinstance(event, Notice)]
    (start,) = [text for text in said if text.startswith("the weights are those of step-")]
    assert start.endswith("pooler.weight, pooler.bias, classifier.weight, classifier.bias begin at random")
    assert "rows without a label in the column 'label' are left out: 1" in said
    assert not any("vocabulary" in text for text in said), "an existing one need not be filled"
    (baselines,) = [event for event in events if isinstance(event, Baselines)]
    assert baselines.uniform_loss == pytest.approx(0.6931, abs=1e-3) and baselines.unigram_accuracy < 0.65
    evaluated = [event for event in events if isinstance(event, Evaluated)][-1]
    assert evaluated.accuracy is not None and evaluated.accuracy > 0.9
    assert evaluated.figures["f1"] > 0.9 and evaluated.labels == ("bad", "good")
    (started,) = [event for event in events if isinstance(event, AttemptStarted)]
    assert sum(map(sum, evaluated.confusion)) == started.validation_rows
    assert started.train_rows + started.validation_rows == 400
    probes = [event for event in events if isinstance(event, Probed)][-1].probes
    assert [probe.masks[0][0].token for probe in probes] == ["good", "bad"]
    assert probes[0].masks[0][0].probability > 0.8


def test_masks_go_on_to_the_order_of_sentences(runs_path: Path, reviews: Path) -> None:
    base = pretrained(runs_path, reviews)
    wanted = config_of(
        reviews, model__start_from=f"run:{base.id}", objective__kind="sop", model__segments=2, train__max_steps=8
    )
    folder = new_run(runs_path, with_lasting_references(wanted, runs_path))
    assert train(folder)[1].state == "finished"
    evaluated = [event for event in events_of(folder) if isinstance(event, Evaluated)]
    last_of_base = [event for event in events_of(base) if isinstance(event, Evaluated)][-1]
    first = evaluated[0]
    masks = first.loss - first.figures["pair_loss"]
    assert masks == pytest.approx(last_of_base.loss, abs=0.35), "what was learned of masks is still there"
    assert {"accuracy", "accuracy_known", "pair_accuracy", "pair_loss"} <= set(first.figures)


@pytest.mark.parametrize("kind", ["classification", "nsp", "sop"])
def test_a_resumed_run_is_the_run_that_never_stopped(runs_path: Path, reviews: Path, kind: str) -> None:
    config = config_of(
        reviews, objective__kind=kind, model__segments=2, model__dropout=0.1, objective__mask_rate_end=0.3,
        train__max_steps=10, train__eval_every=10, train__accumulation_steps=2,
    )  # fmt: skip
    whole, _ = train(new_run(runs_path, config))
    folder = new_run(runs_path, config)
    assert train(folder, stop_at=5)[1].state == "stopped"
    resumed, outcome = train(folder, resume="last")
    assert outcome.state == "finished"
    expected = whole.run.model.state_dict()
    for name, tensor in resumed.run.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize(("old", "new"), [("good", "fine"), ("bad", "worse")])
def test_a_run_does_not_go_on_with_labels_of_other_names_or_in_another_order(
    runs_path: Path, reviews: Path, old: str, new: str
) -> None:
    """As many labels have as many weights: without a word, each would mean what its neighbour meant."""
    config = config_of(reviews, objective__kind="classification", train__max_steps=4)
    folder = new_run(runs_path, config)
    train(folder, stop_at=2)
    text = reviews.read_text()
    reviews.write_text(text.replace(f",{old}\n", f",{new}\n"))
    with pytest.raises(CheckpointError, match=f"tells the labels 'bad', 'good' apart.*'{new}'.* now"):
        train(folder, resume="last")
    reviews.write_text(text)
    assert train(folder, resume="last")[1].state == "finished"


def test_pairs_learn_what_tells_them_apart(runs_path: Path, tmp_path: Path) -> None:
    """The first sentence of every text is about numbers, the second about colours: their order can be learned."""
    draw = random.Random(1)
    numbers, colours = ["one", "two", "three", "four"], ["red", "green", "blue", "black"]
    lines = [
        f"{' '.join(draw.choices(numbers, k=5))} . {' '.join(draw.choices(colours, k=5))} ." for _ in range(300)
    ]
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    config = config_of(
        path, objective__kind="sop", objective__mlm_weight=0.0, model__segments=2, train__max_steps=60,
        train__eval_every=60,
    )  # fmt: skip
    folder = new_run(runs_path, with_values(config, {"data.deduplicate": False}))
    train(folder)
    evaluated = [event for event in events_of(folder) if isinstance(event, Evaluated)][-1]
    assert evaluated.figures["pair_accuracy"] > 0.95 and evaluated.accuracy is None

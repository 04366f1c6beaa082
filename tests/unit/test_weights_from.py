"""Starting from a run's checkpoint: what the new run takes from it, which weights are new, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from tokenizers import Tokenizer

from engine.checkpoints import CheckpointError, CheckpointStore, TrainState
from engine.data.tokenizers import SPECIAL_TOKENS
from engine.models.build import build_model
from engine.models.transformer import Transformer
from engine.weights_from import load_start
from presets.config import to_toml, with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from runs.references import MissingReference, split_reference, with_lasting_references
from tests.tiny import tiny_config

LABELS = ("bad", "good")
LABEL_HEAD = {"pooler.weight", "pooler.bias", "classifier.weight", "classifier.bias"}
PAIRS: dict[str, Value] = {"objective.kind": "sop", "model.segments": 2}


def tokenizer_of(*words: str) -> Tokenizer:
    from tokenizers import models

    every = [*SPECIAL_TOKENS, *words]
    return Tokenizer(models.WordLevel({word: i for i, word in enumerate(every)}, unk_token="[UNK]"))


TOKENIZER = tokenizer_of("one", "two", "three")


def model_of(config: RunConfig, seed: int, labels: tuple[str, ...] = ()) -> Transformer:
    model = build_model(config, TOKENIZER.get_vocab_size(), labels)
    model.initialise(seed)
    return model


def trained(runs: Path, config: RunConfig, labels: tuple[str, ...] = ()) -> RunFolder:
    """A run with checkpoints; the first is the best."""
    folder = create_run(runs, config, name="base")
    for step in (10, 20):
        texts = {"tokenizer.json": TOKENIZER.to_str(), "config.toml": to_toml(config)}
        if labels:
            texts["labels.json"] = msgspec.json.encode(labels).decode()
        weights, state = model_of(config, step, labels).state_dict(), TrainState(step=step)
        CheckpointStore(folder.checkpoints_dir).save(weights, {}, state, texts, is_best=step == 10, keep=9)
    return folder


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        ("mlm", set()),
        ("clm", set()),
        ("sop", LABEL_HEAD | {"segment_embedding.weight"}),
        ("classification", LABEL_HEAD),
    ],
)
def test_every_objective_starts_from_masks_with_new_heads_alone(runs_path: Path, kind: str, new: set[str]) -> None:
    base = tiny_config()
    trained(runs_path, base)
    values = {"sop": PAIRS}.get(kind, {"objective.kind": kind})
    config = with_values(base, values)
    model, drawn = model_of(config, 5, LABELS), model_of(config, 5, LABELS).state_dict()
    if kind in ("mlm", "clm"):
        model, drawn = model_of(config, 5), model_of(config, 5).state_dict()
    start = load_start(model, "run:base@best", runs_path, TOKENIZER)
    assert set(start.new) == new and (start.run, start.checkpoint) == ("base", "step-00000010")
    saved = model_of(base, 10).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, drawn[name] if name in new else saved[name]), name
    assert ("begin at random" in start.sentence()) == bool(new)


def test_a_head_of_other_labels_begins_anew_and_one_of_the_same_goes_on(runs_path: Path) -> None:
    base = with_values(tiny_config(), {"objective.kind": "classification"})
    trained(runs_path, base, LABELS)
    assert load_start(model_of(base, 5, LABELS), "run:base", runs_path, TOKENIZER).new == ()
    for labels in (("no", "yes"), ("bad", "fair", "good")):
        start = load_start(model_of(base, 5, labels), "run:base", runs_path, TOKENIZER)
        assert start.new == ("classifier.weight", "classifier.bias"), labels


def test_shorter_sequences_take_the_first_positions(runs_path: Path) -> None:
    base = tiny_config()
    trained(runs_path, base)
    shorter = model_of(with_values(base, {"data.sequence_length": 8}), 5)
    load_start(shorter, "run:base", runs_path, TOKENIZER)
    assert torch.equal(shorter.position_embedding, model_of(base, 20).position_embedding[:8])


@pytest.mark.parametrize(
    ("values", "start_from", "said"),
    [
        ({"model.num_layers": 3}, "run:base", r"has no blocks\.2\."),
        (
            {"model.hidden_size": 16},
            "run:base",
            r"has the sizes \[16, 8\], and this model needs \[16, 16\]",
        ),
        ({"model.num_layers": 1}, "run:base", r"has blocks\.1\.\S+ and \d+ more, and this model has no place"),
        ({"model.num_heads": 4}, "run:base", r"other settings \(model\.num_heads 2, here 4\)"),
        (
            {"model.activation": "relu", "model.positions": "rotary"},
            "run:base",
            r"model\.positions learned, here rotary; model\.activation gelu, here relu",
        ),
        ({"model.norm": "rmsnorm"}, "run:base", r"model\.norm layernorm, here rmsnorm"),
        ({"model.norm_place": "post"}, "run:base", r"model\.norm_place pre, here post"),
        ({"data.sequence_length": 32}, "run:base", r"position_embedding has the sizes \[16, 8\]"),
        ({}, "run:nobody", "there is no run 'nobody'"),
        ({}, "run:base@30", "the run has no checkpoint '30'; it has step-00000010, step-00000020"),
    ],
)
def test_what_does_not_fit_is_named(runs_path: Path, values: dict[str, Value], start_from: str, said: str) -> None:
    base = tiny_config()
    trained(runs_path, base)
    with pytest.raises(CheckpointError, match=said):
        load_start(model_of(with_values(base, values), 5), start_from, runs_path, TOKENIZER)


def test_heads_and_segments_that_the_new_model_has_not_are_left_behind(runs_path: Path) -> None:
    base = with_values(tiny_config(model__tied_head=False, model__head_transform=True), PAIRS)
    trained(runs_path, base, ("no", "yes"))
    plain = tiny_config()
    model = model_of(plain, 5)
    assert load_start(model, "run:base", runs_path, TOKENIZER).new == ()
    saved = model_of(base, 20, ("no", "yes")).state_dict()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())


def test_weights_of_another_vocabulary_or_damaged_ones_are_refused(runs_path: Path) -> None:
    base = tiny_config()
    folder = trained(runs_path, base)
    with pytest.raises(CheckpointError, match="belong to another tokenizer"):
        load_start(model_of(base, 5), "run:base", runs_path, tokenizer_of("one", "two", "four"))
    weights = folder.checkpoints_dir / "step-00000020" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(CheckpointError, match=r"step-00000020.*model\.safetensors was altered"):
        load_start(model_of(base, 5), "run:base", runs_path, TOKENIZER)
    assert load_start(model_of(base, 5), "run:base@best", runs_path, TOKENIZER).checkpoint == "step-00000010"


def test_the_new_run_takes_model_tokenizer_and_lower_casing_and_keeps_its_dropout(runs_path: Path) -> None:
    base = tiny_config(model__activation="swiglu", model__dropout=0.3, data__lowercase=False)
    folder = trained(runs_path, base)
    own: dict[str, Value] = {"model.dropout": 0.1, "optim.lr": 1e-4, "objective.kind": "clm", "probes.texts": ()}
    other: dict[str, Value] = {"model.start_from": "run:base@best", "model.hidden_size": 512}
    wanted = with_values(RunConfig(), {**own, **other})
    config = with_lasting_references(wanted, runs_path)
    assert config.model == msgspec.structs.replace(
        base.model, dropout=0.1, start_from=f"run:{folder.id}@step-00000010"
    )
    assert (config.data.tokenizer, config.data.tokenizer_from) == ("existing", f"run:{folder.id}")
    assert (config.data.lowercase, config.data.sequence_length, config.data.vocab_size) == (False, 16, 200)
    assert config.optim == wanted.optim and config.objective == wanted.objective
    assert with_lasting_references(config, runs_path) == config, "it means the same when it is read again"
    shorter = with_values(wanted, {"data.sequence_length": 8})
    assert with_lasting_references(shorter, runs_path).data.sequence_length == 8
    pairs = with_values(wanted, {**PAIRS, "model.start_from": "run:base"})
    assert with_lasting_references(pairs, runs_path).model.segments == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model.start_from": "run:nobody"}, "there is no run 'nobody'"),
        ({"model.start_from": "run:base@30"}, "base has no checkpoint step-00000030; it has step-00000010, step"),
        ({"model.start_from": "run:empty"}, "empty has no last checkpoint yet"),
        (
            {"model.start_from": "run:base", "curriculum.start_length": 64},
            "with the model of base this cannot run: curriculum.start_length",
        ),
    ],
)
def test_a_start_that_is_not_there_is_said_before_anything_begins(
    runs_path: Path, values: dict[str, Value], said: str
) -> None:
    trained(runs_path, tiny_config())
    create_run(runs_path, tiny_config(), name="empty")
    with pytest.raises(MissingReference, match=said):
        with_lasting_references(with_values(RunConfig(), values), runs_path)


def test_a_reference_is_a_run_and_a_checkpoint() -> None:
    assert split_reference("run:warm-otter") == ("warm-otter", "last")
    assert split_reference("run:warm-otter@best") == ("warm-otter", "best")
    assert split_reference("run:a@b@1000") == ("a@b", "1000")
    assert split_reference("run:a@home") == ("a@home", "last")
    assert split_reference("run:x@step-00001000") == ("x", "step-00001000")

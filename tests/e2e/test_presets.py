"""Every shipped preset really applies: two steps of each, then a look at the model, batch, schedule and samples.

Hub presets read the loopback hub under the real names. Reduced are only the rows (the hub serves a few hundred and
`max_samples` is a thousandth), device, threads and precision. In this process the work of N GPUs is done by one
process that accumulates N times as many batches, and the command line is checked to ask for N processes; presets
for 8 and 2 GPUs are besides launched as they are, with that many gloo ranks under torchrun.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from torch import Tensor

from engine.checkpoints import CheckpointStore
from presets.catalog import find_preset, shipped_presets
from presets.config import with_values
from presets.estimate import count_parameters, global_batch
from presets.fields import Value
from presets.schema import RunConfig
from runs import launch
from runs.events import AttemptStarted, decode_event
from runs.folder import RunFolder
from runs.launch import plan_launch
from runs.records import RecordTail
from runs.status import read_status
from runs.token_caches import count_sequences
from tests.conftest import wait_until
from tests.fakes.hub import LoopbackHub
from tests.fakes.hub_texts import REFERENCE_DATASETS
from tests.tiny import new_run, train

PRESETS = shipped_presets()
SHARE_OF_SAMPLES = 1000
HUB_ROWS = {
    "Salesforce/wikitext": 2030,  # more than any preset then reads
    "stanfordnlp/imdb": 400,
    "stanfordnlp/sst2": 300,
    "fancyzhx/ag_news": 300,
}
PATIENCE_S = 240.0


def reduced(config: RunConfig) -> dict[str, Value]:
    """Fewer rows, on a CPU; every step recorded, evaluations and probes left for the end."""
    samples = {"hub": config.data.max_samples // SHARE_OF_SAMPLES, "embedded": 8, "synthetic": 400}
    return {
        "data.max_samples": samples[config.data.source],
        "train.log_every": 1,
        "train.eval_rows": 8,
        "train.precision": "fp32",
        "probes.texts": (),
        "launch.device": "cpu",
        "launch.threads": 1,
    }


def serve(hub: LoopbackHub, preset: RunConfig) -> None:
    """Have the preset's dataset on the hub, if it is one of the hub's."""
    name = preset.data.dataset
    if preset.data.source == "hub":
        layout, make = REFERENCE_DATASETS[name]
        hub.add_dataset(name, make(HUB_ROWS[name]), layout=layout)


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """The published schedules, written out: linear warm-up, then a straight or a cosine fall to 0."""
    optim = config.optim
    warmup = round(optim.warmup_ratio * total)
    if step < warmup:
        return optim.lr * (step + 1) / warmup
    share = (step - warmup) / (total - warmup)
    falls = {"linear": 1 - share, "cosine": (1 + math.cos(math.pi * share)) / 2, "constant": 1.0}
    return optim.lr * falls[optim.schedule]


def check_applied(folder: RunFolder, config: RunConfig, preset: RunConfig) -> None:
    """config: what ran. preset: what the file says."""
    attempt = folder.attempts()[-1]
    events = [decode_event(record) for record in RecordTail(attempt.events_file).poll_all()]
    (started,) = [event for event in events if isinstance(event, AttemptStarted)]
    records = [record for record in RecordTail(attempt.metrics_file).poll_all() if "lr" in record]

    batch = global_batch(preset)
    assert started.tokens_per_step == batch * preset.data.sequence_length
    assert [record["tokens"] for record in records[:2]] == [started.tokens_per_step, 2 * started.tokens_per_step]

    total = config.train.max_steps or math.ceil(preset.train.epochs * started.train_rows / batch)
    assert started.total_steps == total
    assert [record["lr"] for record in records[:2]] == pytest.approx(
        [learning_rate(preset, step, total) for step in range(2)]
    )

    check_samples(config, started)
    in_effect = preset if preset.data.source == "synthetic" else with_vocabulary(preset, started.vocab_size)
    assert started.num_parameters == count_parameters(in_effect).total
    check_shapes(CheckpointStore(folder.checkpoints_dir).load("last")[0].model, preset, started.vocab_size)


def with_vocabulary(config: RunConfig, size: int) -> RunConfig:
    """A small text fills only a part of the vocabulary that the preset asks for."""
    assert size <= config.data.vocab_size
    return with_values(config, {"data.vocab_size": size})


def check_samples(config: RunConfig, started: AttemptStarted) -> None:
    data = config.data
    rows = started.train_rows + started.validation_rows
    if data.dataset == "Salesforce/wikitext":
        assert rows == pytest.approx(data.max_samples * 4 / 7, abs=8)  # four of an article's seven rows have words
    elif data.source == "hub":
        assert rows == HUB_ROWS[data.dataset]
    elif data.source == "synthetic":
        assert rows == data.max_samples or (data.deduplicate and rows < data.max_samples)
    if data.access == "download":
        counted = count_sequences(data, labelled=config.objective.has_labels)
        assert counted is not None and counted.train_rows == started.train_rows


def check_shapes(tensors: dict[str, Tensor], preset: RunConfig, vocab_size: int) -> None:
    model, hidden = preset.model, preset.model.hidden_size
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert shapes["token_embedding.weight"] == (vocab_size, hidden)
    has_positions = model.positions == "learned"
    assert shapes.get("position_embedding") == ((preset.data.sequence_length, hidden) if has_positions else None)
    blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    assert blocks == {str(index) for index in range(model.num_layers)}
    for block in blocks:
        assert shapes[f"blocks.{block}.attention.qkv.weight"] == (3 * hidden, hidden)
        assert shapes[f"blocks.{block}.up.weight"] == (model.intermediate_size or 4 * hidden, hidden)


@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_two_steps_have_the_presets_model_batch_schedule_and_samples(
    runs_path: Path,
    hub: LoopbackHub,
    name: str,
) -> None:
    preset = find_preset(name).config
    serve(hub, preset)
    processes = preset.launch.num_processes
    one_process: dict[str, Value] = {
        "launch.num_processes": 1,
        "train.accumulation_steps": preset.train.accumulation_steps * processes,
    }
    config = with_values(preset, {**reduced(preset), **one_process})
    folder = new_run(runs_path, config)
    trainer, outcome = train(folder, stop_at=2)
    assert (outcome.step, outcome.state) == (2, "stopped")
    check_applied(folder, config, preset)
    for block in trainer.run.model.blocks:
        assert block.attention.num_heads == preset.model.num_heads  # no tensor's shape tells the number of heads

    argv = plan_launch(preset).argv
    asked = [word for word in argv if word.startswith("--nproc-per-node=")]
    assert asked == ([f"--nproc-per-node={processes}"] if processes > 1 else [])
    if preset.data.source == "hub":
        assert hub.count(preset.data.dataset) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["h200_8gpu_fast", "2gpu_standard"])
def test_gpu_presets_run_with_their_own_number_of_processes(
    runs_path: Path,
    hub: LoopbackHub,
    name: str,
) -> None:
    preset = find_preset(name).config
    serve(hub, preset)
    config = with_values(preset, {**reduced(preset), "train.max_steps": 20, "train.eval_every": 20})
    folder = new_run(runs_path, config)
    launch.start(folder)
    wait_until(lambda: not read_status(folder).is_live, PATIENCE_S, "the run ends")
    status = read_status(folder)
    assert status.state == "finished", (status, folder.attempts()[-1].console_file.read_text()[-2000:])
    check_applied(folder, config, preset)
    started = next(
        event
        for record in RecordTail(folder.attempts()[-1].events_file).poll_all()
        if isinstance(event := decode_event(record), AttemptStarted)
    )
    assert started.num_processes == preset.launch.num_processes

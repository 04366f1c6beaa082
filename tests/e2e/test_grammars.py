"""Real runs on grammars: a model reaches the exact floor of one, and never falls below that of random words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from engine.preparation import Prepared
from presets.fields import Value
from runs.events import AttemptStarted, Baselines, Evaluated, Event, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from tests.tiny import new_run, tiny_config, train

TEMPLATES: dict[str, Value] = {
    "data__source": "synthetic", "data__dataset": "templates", "data__vocab_size": 999, "data__max_samples": 0,
    "data__validation_fraction": 0.1, "data__sequence_length": 8, "data__deduplicate": False,
    "model__hidden_size": 64, "model__intermediate_size": 128, "model__dropout": 0.1,
    "objective__mask_rate": 0.6, "objective__mask_token_share": 1.0, "objective__random_token_share": 0.0,
    "optim__lr": 3e-3, "optim__schedule": "cosine", "optim__weight_decay": 0.1,
    "train__batch_size": 128, "train__max_steps": 500, "train__eval_every": 100, "train__eval_rows": 0,
    "train__checkpoint_every": 1000, "probes__every": 500, "probes__texts": ("the old dog [MASK] loudly",),
}  # fmt: skip
RANDOM: dict[str, Value] = {
    **TEMPLATES, "data__dataset": "random", "data__vocab_size": 105, "data__max_samples": 2000,
    "data__sequence_length": 16, "model__dropout": 0.0, "train__batch_size": 32, "train__max_steps": 200,
    "train__eval_every": 20, "probes__texts": ("baba [MASK] biba",),
}  # fmt: skip


def events(folder: RunFolder) -> list[Event]:
    return [decode_event(record) for record in RecordTail(folder.attempts()[-1].events_file).poll_all()]


def frozen_spread(run: Prepared) -> tuple[float, int]:
    """Standard deviation of the loss over the targets of an evaluation, and their number."""
    batch = run.objective.frozen_batch(run.validation, run.validation_rows)
    run.model.eval()
    with torch.no_grad():
        hidden = run.model(batch.inputs, batch.lengths if batch.is_padded else None)
        places = batch.positions[..., None].expand(-1, -1, hidden.shape[-1])
        logits = run.model.logits(hidden.gather(1, places)).flatten(0, 1)
    losses = F.cross_entropy(logits, batch.targets.flatten(), reduction="none")
    return float(losses.std()), len(losses)


def test_a_small_model_reaches_the_exact_floor_of_template_sentences(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config(**TEMPLATES))
    trainer, outcome = train(folder)
    (baselines,) = [event for event in events(folder) if isinstance(event, Baselines)]
    assert baselines.floor_loss is not None and outcome.best_loss is not None
    assert outcome.best_loss == pytest.approx(baselines.floor_loss, abs=0.05)
    assert baselines.unigram_loss > baselines.floor_loss + 1, "word frequency alone knows nothing of slots"
    batch = trainer.run.objective.frozen_batch(trainer.run.validation, trainer.run.validation_rows)
    assert bool((batch.inputs.gather(1, batch.positions) == 4).all()), "every target is hidden behind [MASK]"
    (started,) = [event for event in events(folder) if isinstance(event, AttemptStarted)]
    assert (started.vocab_size, started.unknown_rate) == (999, 0.0)


def test_no_evaluation_of_the_random_control_is_below_the_logarithm_of_its_words(runs_path: Path) -> None:
    """The targets are even and independent of all that a model sees, so its expected loss is at least ln 100.

    What an evaluation can be below that by is the chance of its finite number of targets: three standard errors,
    with the spread of the last model, which is the furthest from giving all words alike and so has the largest.
    """
    folder = new_run(runs_path, tiny_config(**RANDOM))
    trainer, _ = train(folder)
    (baselines,) = [event for event in events(folder) if isinstance(event, Baselines)]
    assert baselines.floor_loss == pytest.approx(math.log(100), abs=1e-9)
    spread, count = frozen_spread(trainer.run)
    tolerance = 3 * spread / math.sqrt(count)
    assert tolerance < 0.1
    losses = [event.loss for event in events(folder) if isinstance(event, Evaluated)]
    assert len(losses) == 11
    assert min(losses) >= math.log(100) - tolerance

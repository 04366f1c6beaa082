"""Runs whose sequences grow and whose samples begin easy: what they train on, resuming, the twin without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.curriculum import difficulty
from runs.curriculum_report import compare, find_twin
from runs.folder import RunFolder, all_runs, create_run
from runs.records import RecordTail
from runs.status import read_status
from tests.e2e.test_training import metrics
from tests.tiny import new_run, prepare_attempt, tiny_config, train
from tui.cli import main


def losses_and_weights(folder: RunFolder) -> tuple[list[float], torch.Tensor]:
    trainer, _ = train(folder)
    losses = [record["loss"] for record in metrics(folder) if "loss" in record]
    return losses, torch.cat([weights.flatten() for weights in trainer.run.model.state_dict().values()])


def test_sequences_grow_and_their_tokens_are_counted_as_they_were(runs_path: Path) -> None:
    config = tiny_config(
        data__sequence_length=32, curriculum__start_length=8, curriculum__length_share=0.5, train__log_every=1
    )
    folder = new_run(runs_path, config)
    train(folder)
    lengths = [round(record["sequence_length"]) for record in metrics(folder) if "loss" in record]
    assert lengths == [8] * 4 + [16] * 3 + [24] * 3 + [32] * 10
    tokens = [record["tokens"] for record in RecordTail(folder.attempts()[0].metrics_file).poll_all()]
    assert tokens[-1] == 8 * sum(lengths)


def test_easy_samples_come_first_and_none_is_left_out(runs_path: Path) -> None:
    config = tiny_config(train__max_steps=0, train__epochs=1, train__batch_size=500, curriculum__order="rarity")
    prepared, *_ = prepare_attempt(new_run(runs_path, config))
    store = prepared.train
    _, samples = prepared.samples.take(0, len(store))
    scores = difficulty(store, prepared.cache.token_counts, "rarity")[samples]
    quarters = [float(part.mean()) for part in scores.chunk(4)]
    assert quarters[0] < quarters[1] - 0.1 and quarters[1] < quarters[3] - 0.1
    assert sorted(samples.tolist()) == list(range(len(store)))


def test_a_curriculum_resumes_bit_for_bit(runs_path: Path) -> None:
    config = tiny_config(curriculum__start_length=8, curriculum__order="rarity", curriculum__start_share=0.1)
    straight, broken = new_run(runs_path, config), new_run(runs_path, config)
    whole, _ = train(straight)
    for stop_at in (3, 10, 14):
        train(broken, resume="last" if broken.attempts() else "", stop_at=stop_at)
    resumed, outcome = train(broken, resume="last")
    assert outcome.state == "finished" and metrics(broken) == metrics(straight)
    for (name, a), b in zip(
        whole.run.model.state_dict().items(), resumed.run.model.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name


def test_a_curriculum_that_is_off_changes_no_bit_and_one_that_is_on_does(runs_path: Path) -> None:
    plain = losses_and_weights(new_run(runs_path, tiny_config()))
    off = tiny_config(curriculum__start_length=16, curriculum__length_share=0.9, curriculum__start_share=0.1)
    same = losses_and_weights(new_run(runs_path, off))
    assert same[0] == plain[0] and torch.equal(same[1], plain[1])
    ordered = losses_and_weights(new_run(runs_path, tiny_config(curriculum__order="rarity")))
    assert ordered[0] != plain[0]


def test_the_twin_is_started_for_the_same_tokens_and_compared(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = create_run(runs_path, tiny_config(data__sequence_length=32, curriculum__start_length=8), name="easy")
    trainer, outcome = train(run)
    trainer.recorder.outcome(outcome)
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy", "--start-twin"]) == 0
    (twin,) = [folder for folder in all_runs(runs_path) if folder.id != run.id]
    assert read_status(twin).state == "finished" and twin.about().name == "easy without curriculum"
    found = find_twin(runs_path, run)
    assert found is not None and found.id == twin.id
    report = compare(run, twin)
    assert report.twin_step < report.step == 20
    assert abs(report.twin_step * 8 * 32 - report.tokens) <= 8 * 32, "the same tokens, up to one step"
    capsys.readouterr()
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sentence"] == report.sentence

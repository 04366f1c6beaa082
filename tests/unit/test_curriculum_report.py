"""Whether a curriculum helped: which run is its twin, and what the two say at the same number of tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.curriculum_report import NoComparison, compare, find_twin, is_twin, twin_config
from runs.folder import RunFolder, create_run
from runs.records import RecordWriter
from runs.status import Outcome
from tui.cli import main

GROWING: dict[str, Value] = {
    "data.sequence_length": 64, "train.batch_size": 10, "curriculum.start_length": 16,
    "curriculum.order": "rarity",
}  # fmt: skip
PLAIN: dict[str, Value] = {"data.sequence_length": 64, "train.batch_size": 10}

NewRun = Callable[..., RunFolder]


@pytest.fixture
def new_run(runs_path: Path) -> NewRun:
    def make(
        values: dict[str, Value], curve: Iterable[tuple[int, float]], name: str = "", state: str = "finished"
    ) -> RunFolder:
        """curve: tokens and validation losses."""
        folder = create_run(runs_path, with_values(RunConfig(), values), name=name)
        attempt = folder.attempt(1)
        attempt.path.mkdir(parents=True)
        events, metrics = RecordWriter(attempt.events_file), RecordWriter(attempt.metrics_file)
        events.write(
            {
                "kind": "attempt_started", "step": 0, "time": 1.0, "dataset": "addresses (embedded)",
                "device": "cpu", "precision": "fp32", "num_processes": 1, "num_parameters": 1234,
                "total_steps": 100, "vocab_size": 99, "train_rows": 10, "validation_rows": 2,
                "train_tokens": 5, "tokens_per_step": 5, "unknown_rate": 0.0,
            }
        )  # fmt: skip
        for step, (tokens, loss) in enumerate(curve):
            metrics.write({"step": step, "time": 1.0, "elapsed_s": 1.0, "tokens": tokens, "val_loss": loss})
        events.close()
        metrics.close()
        outcome = Outcome(state, "done", 1, 1)  # type: ignore[arg-type]
        attempt.outcome_file.write_bytes(msgspec.json.encode(outcome))
        return folder

    return make


def test_both_are_read_off_at_the_last_tokens_that_both_have_seen(new_run: NewRun) -> None:
    run = new_run(GROWING, [(0, 8.0), (1000, 5.0), (3000, 4.0)], "easy")
    twin = new_run(PLAIN, [(0, 8.0), (2000, 6.0), (4000, 5.0)], "plain")
    report = compare(run, twin)
    assert (report.tokens, report.loss, report.twin_loss) == (3000, 4.0, 5.5)
    assert report.difference == pytest.approx(-1.5)
    assert report.sentence.startswith(
        "The curriculum helped by 1.5000 nats: 4.0000 nats with the curriculum and 5.5000 without it, after the "
        "same 3,000 tokens"
    )
    half = next(point for point in report.points if point.tokens == 1500)
    assert (half.loss, half.twin_loss) == pytest.approx((4.75, 6.5))


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (4.5, "did harm by 0.5000 nats"),
        (4.01, "made no difference that one pair of runs could show"),
        (3.99, "made no difference that one pair of runs could show"),
        (3.5, "helped by 0.5000 nats"),
    ],
)
def test_harm_help_and_neither_are_told_apart(new_run: NewRun, last: float, words: str) -> None:
    run = new_run(GROWING, [(0, 8.0), (500, 6.0), (1000, last)])
    report = compare(run, new_run(PLAIN, [(0, 8.0), (500, 6.0), (1000, 4.0)]))
    assert words in report.sentence and "another seed" in report.sentence


def test_a_lead_that_was_lost_is_told(new_run: NewRun) -> None:
    run = new_run(GROWING, [(0, 8.0), (500, 5.0), (1000, 4.5)])
    twin = new_run(PLAIN, [(0, 8.0), (500, 6.0), (1000, 4.0)])
    assert "It was ahead before" in compare(run, twin).sentence


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        ({}, True),
        ({"train.max_steps": 77, "train.log_every": 3, "probes.every": 7, "launch.threads": 1}, True),
        ({"train.batch_size": 5, "train.accumulation_steps": 2}, True),
        ({"train.batch_size": 5, "launch.num_processes": 2}, True),
        ({"train.batch_size": 5}, False),
        ({"train.seed": 1}, False),
        ({"optim.lr": 2e-3}, False),
        ({"model.num_layers": 3}, False),
        ({"data.validation_fraction": 0.3}, False),
        ({"curriculum.order": "length"}, False),
        ({"curriculum.order_share": 0.9}, True),
    ],
)
def test_a_twin_differs_in_nothing_that_matters_but_the_curriculum(change: dict[str, Value], is_one: bool) -> None:
    config = with_values(RunConfig(), GROWING)
    assert is_twin(config, with_values(RunConfig(), PLAIN | change)) is is_one


def test_the_twin_whose_tokens_come_nearest_is_taken_and_only_a_finished_one(
    new_run: NewRun, runs_path: Path
) -> None:
    run = new_run(GROWING, [(0, 8.0), (1000, 4.0)])
    assert find_twin(runs_path, run) is None
    new_run(PLAIN, [(0, 8.0), (5000, 4.0)])
    near = new_run(PLAIN, [(0, 8.0), (1100, 4.0)])
    new_run(PLAIN, [(0, 8.0), (1000, 4.0)], state="failed")
    new_run(PLAIN | {"optim.lr": 1e-4}, [(0, 8.0), (1000, 4.0)])
    found = find_twin(runs_path, run)
    assert found is not None and found.id == near.id


def test_the_twin_that_is_started_takes_as_many_tokens(new_run: NewRun) -> None:
    run = new_run(GROWING | {"train.early_stopping_patience": 3, "train.max_steps": 50}, [(0, 8.0), (19_100, 4.0)])
    wanted = twin_config(run)
    assert wanted.train.max_steps == round(19_100 / (10 * 64)) == 30
    assert is_twin(run.config(), wanted) and wanted.train.early_stopping_patience == 0


def test_what_cannot_be_compared_is_said(new_run: NewRun) -> None:
    run, plain = new_run(GROWING, [(0, 8.0)], "easy"), new_run(PLAIN, [(0, 8.0), (9, 4.0)], "plain")
    with pytest.raises(NoComparison, match="plain has no curriculum: neither "):
        compare(plain, run)
    with pytest.raises(NoComparison, match="easy has fewer than two evaluations"):
        compare(run, plain)
    with pytest.raises(NoComparison, match="easy has no evaluation yet"):
        twin_config(run)


def test_a_twin_is_another_run_without_a_curriculum_and_its_other_settings_are_named(new_run: NewRun) -> None:
    run, other = (new_run(GROWING, [(0, 8.0), (9, 4.0)], name) for name in ("easy", "other"))
    with pytest.raises(NoComparison, match="easy cannot be its own twin"):
        compare(run, run)
    with pytest.raises(NoComparison, match="other has a curriculum itself"):
        compare(run, other)
    values: dict[str, Value] = {"optim.lr": 2e-3, "launch.num_processes": 2, "train.max_steps": 7}
    report = compare(run, new_run(PLAIN | values, [(0, 8.0), (9, 4.0)]))
    assert report.differing == ("optim.lr", "launch.num_processes")
    assert report.sentence.endswith(
        " The two also differ in optim.lr, launch.num_processes, and the difference may be due to that."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--detach"], "--detach goes with --start-twin"), (["--twin", "a", "--start-twin"], "give one of the two")],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], said: str, new_run: NewRun, runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_run(GROWING, [(0, 8.0), (1000, 4.0)], "easy")
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy", *options]) == 2
    assert said in capsys.readouterr().err


def test_the_verb_prints_the_sentence_and_a_table_or_says_how_to_get_a_twin(
    new_run: NewRun, runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(GROWING, [(0, 8.0), (1000, 4.0)], "easy")
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy"]) == 2
    assert f"tinytrain-tui curriculum {run.id} --start-twin" in capsys.readouterr().err
    new_run(PLAIN, [(0, 8.0), (1000, 5.0)], "plain")
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("The curriculum helped by 1.0000 nats")
    assert printed[-1].split() == ["1,000", "4.0000", "5.0000", "-1.0000"]
    assert main(["--runs-dir", str(runs_path), "curriculum", "easy", "--twin", "plain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference"] == -1.0
    assert main(["--runs-dir", str(runs_path), "curriculum", "plain"]) == 2

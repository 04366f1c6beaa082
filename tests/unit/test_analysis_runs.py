"""Analyses of real runs of every objective: the figures of the run's own evaluation, kept until they are stale."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.__main__ import main as engine_analysis
from presets.fields import Value
from runs.analysis import KINDS, Kind, Question, TokenLosses
from runs.analysis_files import (
    analysis_file,
    checkpoint_called,
    read_analysis,
    read_attention,
    read_calibration,
    read_neighbours,
    read_sentence_losses,
    read_token_losses,
)
from runs.analysis_process import Refused, Stored, start_analysis
from runs.folder import RunFolder, find_run
from runs.records import RecordTail
from tests.conftest import pids_with, wait_until
from tests.tiny import new_run, tiny_config, train
from tui.cli import main as tinytrain
from tui.cli_analyse import CHOICES

SENTENCE = "the people of the states"
HOSTILE = "\x1b]52\x07[red]us\u202e --kinds=x"
ASKED = Question(sentence=SENTENCE, min_count=2)


def trained(runs: Path, kind: str) -> RunFolder:
    """A tiny run of one objective, at its end."""
    values: dict[str, Value] = {"objective__kind": kind, "train__max_steps": 10, "train__eval_every": 10}
    if kind == "sop":
        values |= {"model__segments": 2, "data__sequence_length": 24}
    if kind == "classification":
        table = runs / "reviews.csv"
        words = ("bad sad poor", "good fine rich")
        rows = [f"the film number {number % 7} was {words[number % 2]},{number % 2}" for number in range(80)]
        table.write_text("\n".join(["text,label", *rows]) + "\n")
        values |= {
            "data__source": "files", "data__dataset": str(table), "data__max_samples": 0, "data__min_words": 1,
            "data__deduplicate": False, "data__long_documents": "truncate",
        }  # fmt: skip
    folder = new_run(runs, tiny_config(**values))
    _, outcome = train(folder)
    assert outcome.state == "finished"
    return folder


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunFolder]]:
    """Trained once; tests get copies."""
    base = tmp_path_factory.mktemp("analysis")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TINYTRAIN_CACHE", str(base / "cache"))
        environment.setenv("TINYTRAIN_RUNS", str(base / "runs"))
        (base / "runs").mkdir()
        made = {kind: trained(base / "runs", kind) for kind in ("mlm", "clm", "sop", "classification")}
    yield made


@pytest.fixture
def runs_of(originals: dict[str, RunFolder], runs_path: Path) -> dict[str, RunFolder]:
    """Copies of the runs and of their token caches, which a test may damage."""
    base = originals["mlm"].path.parent
    shutil.copytree(base.parent / "cache", os.environ["TINYTRAIN_CACHE"])
    for folder in originals.values():
        shutil.copytree(folder.path, runs_path / folder.id)
    return {kind: find_run(runs_path, folder.id) for kind, folder in originals.items()}


def made(capfd: pytest.CaptureFixture[str], folder: RunFolder, *options: str) -> list[dict[str, Any]]:
    """What the engine's program says last of each kind, run in this process."""
    capfd.readouterr()
    engine_analysis([str(folder.path), *options])
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return [one for one in said if one["said"] != "progress"]


@pytest.mark.parametrize("kind", ["mlm", "clm", "sop", "classification"])
def test_every_objective_is_analysed_with_the_figures_of_its_own_evaluation(
    kind: str, runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = runs_of[kind]
    sentence = "the film was good" if kind == "classification" else SENTENCE
    said = made(capfd, folder, f"--kinds={','.join(KINDS)}", f"--sentence={sentence}", "--min-count=2")
    assert [one["said"] for one in said] == ["stored"] * 5, said
    question = Question(sentence=sentence, min_count=2)
    losses = read_token_losses(folder, "last", question)
    calibration = read_calibration(folder, "last", question)
    recorded = last_evaluation(folder)
    assert losses is not None and calibration is not None
    assert losses.accuracy == pytest.approx(recorded["val_accuracy"], abs=1e-9)
    if kind != "sop":  # there the run's loss has that of the pairs in it
        assert losses.loss == pytest.approx(recorded["val_loss"], rel=1e-5)
    assert losses.task == {"mlm": "masked", "clm": "next", "sop": "masked"}.get(kind, "label")
    assert losses.best[0].loss <= losses.best[-1].loss <= losses.worst[0].loss
    assert min(row.count for row in (*losses.best, *losses.worst)) >= 2
    assert sum(one.count for one in calibration.bins) == losses.num_predictions
    assert calibration.accuracy == pytest.approx(losses.accuracy, abs=1e-5)
    attention = read_attention(folder, "last", question)
    neighbours = read_neighbours(folder, "last", question)
    places = read_sentence_losses(folder, "last", question)
    assert attention is not None and neighbours is not None and places is not None
    assert attention.tokens[0] == "[CLS]" and len(attention.weights) == 2
    assert len(places.places) == len(attention.tokens) - 2
    assert [sum(row) for row in attention.weights[1][1]] == pytest.approx([1.0] * len(attention.tokens), abs=1e-3)
    counts = [point.count for point in neighbours.points]
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0
    if kind == "classification":
        assert {guess.token for guess in places.guesses} == {"0", "1"}
    else:
        assert places.perplexity == pytest.approx(math.exp(places.total / len(places.places)), rel=1e-4)


def last_evaluation(folder: RunFolder) -> dict[str, Any]:
    records = RecordTail(folder.attempts()[-1].metrics_file).poll_all()
    return next(record for record in reversed(records) if "val_loss" in record)


def test_a_sentence_costs_what_each_hidden_token_costs_alone(runs_of: dict[str, RunFolder]) -> None:
    import torch

    from engine.analysis.sentence_losses import analyse_sentence
    from engine.analysis.subject import encode_sentence, open_subject

    subject = open_subject(runs_of["mlm"], "last")
    ids = encode_sentence(subject, SENTENCE)
    rows = analyse_sentence(subject, ASKED).places
    for place, row in enumerate(rows, 1):
        hidden = [*ids[:place], 4, *ids[place + 1 :]]
        with torch.no_grad():
            shares = subject.model.logits(subject.model(torch.tensor([hidden]), None)[0, place]).softmax(-1)
        assert row.loss == pytest.approx(-math.log(float(shares[ids[place]])), abs=1e-4)
        assert row.guesses[0].probability == pytest.approx(float(shares.max()), abs=1e-4)


def test_an_answer_is_kept_until_its_checkpoint_is_written_anew(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, name = runs_of["mlm"], checkpoint_called(runs_of["mlm"], "last")
    assert made(capfd, folder, "--kinds=calibration")[0]["was_there"] is False
    assert made(capfd, folder, "--kinds=calibration")[0]["was_there"] is True
    assert made(capfd, folder, "--kinds=calibration", "--bins=4")[0]["was_there"] is False
    manifest = folder.checkpoints_dir / name / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert read_analysis(folder, "last", "calibration", Question()) is None
    assert made(capfd, folder, "--kinds=calibration")[0]["was_there"] is False
    assert read_analysis(folder, "last", "calibration", Question()) is not None


def test_a_damaged_or_foreign_answer_counts_as_none(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = runs_of["mlm"]
    path = analysis_file(folder, checkpoint_called(folder, "last"), "calibration", Question())
    made(capfd, folder, "--kinds=calibration")
    path.write_bytes(path.read_bytes()[:50])
    assert read_calibration(folder, "last", Question()) is None
    assert made(capfd, folder, "--kinds=calibration")[0]["was_there"] is False
    assert read_calibration(folder, "../../last", Question()) is None


def test_without_the_token_cache_only_what_needs_no_data_is_told(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = runs_of["mlm"]
    cache = Path(os.environ["TINYTRAIN_CACHE"]) / "tokens"
    cache.rename(cache.with_name("elsewhere"))
    said = made(capfd, folder, "--kinds=attention,neighbours,token-losses,calibration", f"--sentence={SENTENCE}")
    assert [one["said"] for one in said] == ["stored", "stored", "refused", "refused"]
    assert "is gone, and an analysis builds none" in said[2]["error"]
    neighbours = read_neighbours(folder, "last", Question())
    assert neighbours is not None and neighbours.words and neighbours.points[0].count == 0
    assert "not the most frequent" in neighbours.notes[0]
    cache.with_name("elsewhere").rename(cache)
    assert made(capfd, folder, "--kinds=neighbours")[0]["was_there"] is False
    assert not cache.with_name("elsewhere").exists()


def test_weights_that_are_not_finite_are_named(
    runs_of: dict[str, RunFolder], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from engine.analysis import subject

    own = subject.load_model

    def spoilt(folder: RunFolder, checkpoint: str) -> Any:
        loaded = own(folder, checkpoint)
        loaded.model.head_bias.data[3] = math.nan
        return loaded

    monkeypatch.setattr(subject, "load_model", spoilt)
    said = made(capfd, runs_of["mlm"], "--kinds=calibration")
    assert "weights that are not finite, such as head_bias" in said[0]["error"]


def test_a_cache_that_is_half_built_is_not_taken_for_the_data(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    for manifest in (Path(os.environ["TINYTRAIN_CACHE"]) / "tokens").glob("*/manifest.json"):
        manifest.unlink()
    said = made(capfd, runs_of["mlm"], "--kinds=calibration")
    assert said[0]["said"] == "refused" and "half-built" in said[0]["error"]


def test_a_cache_that_was_altered_is_not_believed(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    for tokens in Path(os.environ["TINYTRAIN_CACHE"]).rglob("validation.tokens"):
        tokens.write_bytes(bytes(reversed(tokens.read_bytes())))
    said = made(capfd, runs_of["mlm"], "--kinds=calibration")
    assert said[0]["said"] == "refused" and "damaged" in said[0]["error"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kinds=attention"], "attention needs a sentence"),
        (["--kinds=attention", "--sentence=" + "the people " * 20], "42 tokens with [CLS] and [SEP]"),
        (["--kinds=sentence-losses", "--sentence=the [MASK] of"], "must not hold [MASK]"),
        (["--kinds=neighbours", "--word=zebra", "--word=Quark"], "not in the vocabulary: 'zebra', 'Quark'"),
        (["--kinds=token-losses", "--min-count=100000"], "no token was predicted 100,000 times"),
        (["--kinds=reading"], "'reading' is no analysis"),
        (["--kinds=attention", "--sentence=" + 20_001 * "a"], "20,001 characters"),
        (["--kinds=calibration", "--bins=1"], "bins: 1 is not between 2 and 100"),
        (["--kinds=calibration", "--checkpoint=7"], "no checkpoint '7'"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence(
    options: list[str], words: str, runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    said = made(capfd, runs_of["mlm"], *options)
    assert [one["said"] for one in said] == ["refused"]
    assert words in said[0]["error"]
    assert said[0]["report"] == ""


def test_a_child_process_stores_answers_and_passes_a_hostile_sentence_whole(runs_of: dict[str, RunFolder]) -> None:
    folder, question = runs_of["mlm"], Question(sentence=HOSTILE)
    with start_analysis(folder, "best", ("attention", "sentence-losses"), question) as process:
        said = [one for one in process.answers() if isinstance(one, Stored | Refused)]
    results = [one.read() for one in said if isinstance(one, Stored)]
    assert [result.question.sentence for result in results if result] == [HOSTILE, HOSTILE], said
    assert read_attention(folder, "best", question) == results[0]


@pytest.mark.parametrize("sentence", ["a\0b", "a\ud800b", "   "])
def test_a_sentence_that_is_no_text_starts_no_process(sentence: str, runs_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no text|needs a sentence"):
        start_analysis(RunFolder(runs_path), "last", ("attention",), Question(sentence=sentence))


def test_a_reader_who_goes_away_ends_the_child(runs_of: dict[str, RunFolder], runs_path: Path) -> None:
    with start_analysis(runs_of["mlm"], "last", ("calibration",)) as process:
        pipe = process._process.stdin
        assert pipe is not None
        pipe.close()
        assert not any(isinstance(said, Stored) for said in process.answers())
    assert list(process.answers()) == []
    wait_until(lambda: not pids_with("TINYTRAIN_RUNS", str(runs_path)))


def test_the_command_line_prints_every_analysis_and_no_control_character(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = runs_of["mlm"]
    arguments = ["analyse", folder.id, "--checkpoint", "best", "--sentence", "the people\x1b[31m of [red] us"]
    assert tinytrain(arguments) == 0
    out = capfd.readouterr().out
    for words in ("Too early to tell", "layer 2 head 2", "nearest tokens", "losses by token", "perplexity"):
        assert words in out
    assert "expected calibration error" in out
    assert all(character.isprintable() or character == "\n" for character in out)


def test_the_command_line_gives_json_and_says_what_was_refused(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(Path(os.environ["TINYTRAIN_CACHE"]) / "tokens")
    chosen = ["--kind", "sentence-losses", "--kind", "calibration", "--json"]
    assert tinytrain(["analyse", runs_of["clm"].id, "--sentence", SENTENCE, *chosen]) == 1
    document = json.loads(capfd.readouterr().out)
    assert len(document["sentence-losses"]["places"]) == 5
    assert list(document["refused"]) == ["calibration"]
    assert "verdict" not in document


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--checkpoint", "7"], "no checkpoint"),
        (["--checkpoint", "newest"], "is no checkpoint"),
        (["--kind", "attention"], "attention needs a sentence"),
        (["--kind", "attention", "--sentence", "the people", "--layer", "9"], "the model has layers 1 to 2"),
        (["--kind", "colours"], "invalid choice"),
        (["--top", "0"], "--top 0: a table has 1 to 1,000 rows"),
        (["--top", "20000", "--kind", "token-losses"], "--top 20000: a table has 1 to 10,000 rows"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(
    options: list[str], words: str, runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str]
) -> None:
    assert tinytrain(["analyse", runs_of["mlm"].id, *options]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert words in captured.err.splitlines()[-1]


def test_a_layer_is_checked_before_the_work_and_without_attention_it_is_said_to_be_unused(
    runs_of: dict[str, RunFolder], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def works(*_: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr("tui.cli_analyse.start_analysis", works)
    run = runs_of["mlm"].id
    assert tinytrain(["analyse", run, "--kind", "attention", "--sentence", SENTENCE, "--layer", "99"]) == 2
    assert "the model has layers 1 to 2" in capfd.readouterr().err
    assert tinytrain(["analyse", run, "--kind", "verdict", "--layer", "99"]) == 0
    assert "--layer is not used: no attention was asked for" in capfd.readouterr().err


def test_the_command_line_offers_every_kind_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tinytrain(["analyse", "--help"])
    shown = capsys.readouterr().out.replace("\n", " ")
    assert all(kind in shown for kind in CHOICES)
    kinds: tuple[Kind, ...] = KINDS
    assert TokenLosses.__struct_config__.tag in kinds

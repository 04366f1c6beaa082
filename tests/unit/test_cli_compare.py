"""`compare` and `report` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.run_writer import finished_run, two_runs
from tui.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_compare_prints_figures_differing_settings_and_probes(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_runs(runs_path)
    text = said(capsys, "compare", "warm-otter", "small-lr")
    assert "A warm-otter" in text and "B small-lr" in text
    best = next(line for line in text.splitlines() if line.startswith("val loss, best"))
    assert best.count("★") == 1
    assert "settings that differ: 2" in text and "train.batch_size" not in text
    assert next(line for line in text.splitlines() if line.startswith("optim.lr")).split() == [
        "optim.lr", "0.001", "0.0005",
    ]  # fmt: skip
    assert "the people of the united [MASK]" in text
    assert "train.batch_size" in said(capsys, "compare", "warm-otter", "small-lr", "--all")


def test_compare_as_json_is_one_document(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = two_runs(runs_path)
    document = json.loads(said(capsys, "compare", first.id, "small-lr", "--json", "--step", "100"))
    assert [run["id"] for run in document["runs"]] == [first.id, second.id]
    assert {row["path"] for row in document["differing"]} == {"optim.lr", "train.max_steps"}
    assert "val_loss" in document["metrics"]
    assert {cell["step"] for row in document["probes"] for cell in row["cells"]} == {100}


def test_one_metric_stands_in_a_column_a_run(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_runs(runs_path)
    lines = said(capsys, "compare", "warm-otter", "small-lr", "--metric", "val_loss").splitlines()
    assert lines[0] == "val loss (nats), by step"
    assert lines[-1].split()[0] == "400" and lines[-1].split()[2] == "-"  # the other ended before
    document = json.loads(said(capsys, "compare", "warm-otter", "small-lr", "--metric", "loss", "--json"))
    assert [len(run["values"]) for run in document["runs"]] == [40, 20]
    assert document["runs"][1]["steps"][-1] == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "warm-otter"), "at least two different runs"),
        (("compare", "warm-otter", "warm-otter"), "at least two different runs"),
        (("compare", "warm-otter", "nobody"), "there is no run 'nobody'"),
        (("compare", "warm-otter", "small-lr", "--metric", "los"), "none of them recorded los"),
        (("report", "nobody"), "there is no run 'nobody'"),
        (("report", "small-lr", "-o", "/nowhere/at/all.html"), "the report cannot be written"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_2(
    runs_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    two_runs(runs_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and not captured.out


def test_report_writes_a_page_where_it_is_told_to(
    runs_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = two_runs(runs_path)
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "report", "warm-otter").strip() == str(tmp_path / f"{first.id}.html")
    document = json.loads(said(capsys, "report", "warm-otter", "-o", "there.html", "--json"))
    assert document["path"] == str(tmp_path / "there.html")
    page = (tmp_path / "there.html").read_bytes()
    assert page.startswith(b"<!doctype html>") and document["num_bytes"] == len(page)
    (tmp_path / "folder").mkdir()
    assert said(capsys, "report", "last", "-o", "folder").startswith(str(tmp_path / "folder"))


def test_hostile_names_do_nothing_to_the_terminal(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished_run(runs_path, "a\x1b[2J\u202e", steps=100)
    finished_run(runs_path, "b\x9b31m", steps=100)
    ids = sorted(path.name for path in runs_path.iterdir())
    for arguments in (("compare", *ids), ("compare", *ids, "--json"), ("compare", *ids, "--metric", "loss")):
        text = said(capsys, *arguments)
        assert not any(character in text for character in "\x1b\x9b\u202e")

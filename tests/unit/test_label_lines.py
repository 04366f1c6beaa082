"""The labels of a classification: what the matrix says of each, and how it looks in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from runs.confusion import label_scores, last_judged
from runs.events import Evaluated, Notice
from tests.run_writer import AttemptWriter, new_run
from tui.cli import main
from tui.cli_lines import Lines
from tui.label_lines import label_lines
from tui.run_words import sentence_of

MATRIX = ((8, 2, 0), (1, 6, 1), (0, 0, 0))
LABELS = ("bad", "good \x1b[31m[red]", "日本語日本語日本語日本語")


def evaluated(confusion: tuple[tuple[int, ...], ...] = MATRIX, labels: tuple[str, ...] = LABELS) -> Evaluated:
    return Evaluated(
        step=40, loss=0.5, perplexity=1.6, accuracy=0.78, accuracy_known=None, is_best=True,
        figures={"accuracy": 0.78, "f1": 0.534}, confusion=confusion, labels=labels,
    )  # fmt: skip


def test_precision_recall_f1_and_the_usual_mistake_of_each_label() -> None:
    bad, good, never = label_scores(LABELS, MATRIX)
    assert (bad.count, bad.said, bad.precision, bad.recall) == (10, 9, 8 / 9, 0.8)
    assert bad.f1 == pytest.approx(2 * (8 / 9) * 0.8 / (8 / 9 + 0.8))
    assert (bad.mistaken_for, good.mistaken_for) == (LABELS[1], "bad"), "of equals the first"
    assert (never.count, never.said, never.precision, never.recall, never.f1) == (0, 1, 0.0, None, 0.0)
    assert label_scores(("a", "b"), ((3, 0), (0, 0)))[1].f1 is None


def test_the_table_has_a_row_a_label_and_its_columns_keep_their_places() -> None:
    title, header, *rows = label_lines(evaluated())
    assert "18 validation texts at step 40" in title and "rows are the truth" in title
    assert rows[0].split() == ["bad", "8", "2", "0", "10", "88.9", "%", "80.0", "%", "84.2", "%"]
    assert rows[2].split()[-6:] == ["0", "0.0", "%", "–", "0.0", "%"]
    assert len({cell_len(line) for line in (header, *rows)}) == 1
    assert "␛[31m[red]" in rows[1] and all(row.isprintable() for row in rows)


def test_of_many_labels_the_worst_are_shown_with_their_usual_mistake() -> None:
    size = 60
    labels = tuple(f"label {number}" for number in range(size))
    matrix = tuple(
        tuple(number if row == column else 3 * (column == (row + 1) % size) for column in range(size))
        for row, number in enumerate(range(size, 0, -1))
    )
    title, header, *rows = label_lines(evaluated(matrix, labels))
    assert len(rows) == 40 and "the 40 least well told of 60" in title
    assert header.endswith("mistaken for") and rows[0].split()[:2] == ["label", "59"]
    assert rows[0].rstrip().endswith("label 0")


def test_a_matrix_that_is_not_whole_is_passed_over() -> None:
    whole, notice = evaluated(), Notice(level="info", message="")
    for broken in (evaluated(((1, 2), (3,))), evaluated(labels=("a",)), evaluated((), ())):
        assert last_judged((notice, whole, broken)) == whole
    assert last_judged((notice,)) is None


def test_show_prints_the_newest_table_and_gives_it_as_json(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = AttemptWriter(new_run(runs_path))
    writer.start(total_steps=100)
    assert main(["show", "warm-otter"]) == 0
    assert "validation texts" not in capsys.readouterr().out
    writer.train(40, 1.0)
    writer.say(evaluated())
    assert main(["show", "warm-otter"]) == 0
    printed = capsys.readouterr().out
    assert "labels of 18 validation texts at step 40" in printed and "\x1b" not in printed
    assert main(["show", "warm-otter", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["classification"]
    assert document["confusion"] == [list(row) for row in MATRIX] and document["labels"] == list(LABELS)
    assert [score["mistaken_for"] for score in document["scores"]] == [LABELS[1], "bad", ""]
    assert document["macro_f1"] == pytest.approx((0.8421 + 0.75 + 0) / 3, abs=1e-3)
    writer.close()


def test_followed_runs_and_the_monitor_say_f1_and_pair_accuracy_where_there_are_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = {"kind": "evaluated", "step": 4, "loss": 0.5, "perplexity": 1.6, "accuracy": 0.78,
              "accuracy_known": None, "is_best": False}  # fmt: skip
    for figures in ({"f1": 0.534}, {"pair_accuracy": 0.61}, {}):
        Lines(as_json=False).show({**record, "figures": figures})
    first, second, third = capsys.readouterr().out.splitlines()
    assert "accuracy 78.0 %  F1 53.4 %" in first
    assert "accuracy 78.0 %  pair accuracy 61.0 %" in second
    assert "F1" not in third and "pair" not in third
    assert sentence_of(evaluated()) == "step 40 evaluated: 0.500 nats, accuracy 78.0%, F1 53.4% (best)"

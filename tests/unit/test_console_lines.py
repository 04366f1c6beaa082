"""What processes print is followed file by file, with the rank and the level of each line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs.console_lines import MOST_LINES, ConsoleLine, ConsoleReader, level_of
from runs.folder import Attempt
from tests.run_writer import new_run


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    made = new_run(tmp_path).attempt(1)
    made.path.mkdir(parents=True)
    return made


def rank_log(attempt: Attempt, rank: int) -> Path:
    path = attempt.ranks_dir / "x" / "attempt_0" / str(rank) / "stderr.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def texts(reader: ConsoleReader) -> list[str]:
    return [line.text for line in reader.lines]


def test_only_what_is_new_is_read_and_a_line_counts_when_it_has_ended(attempt: Attempt) -> None:
    attempt.console_file.write_bytes(b"first\nsec")
    reader = ConsoleReader(attempt)
    assert reader.poll() and texts(reader) == ["first"]
    assert [line.text for line in reader.unended()] == ["sec"]
    assert not reader.poll(), "nothing new"
    with attempt.console_file.open("ab") as file:
        file.write(b"ond\n 10%\r 100%\n")
    assert reader.poll() and texts(reader) == ["first", "second", " 100%"]
    assert reader.unended() == () and reader.num_read == 3


def test_a_file_that_is_begun_anew_is_read_from_its_start(attempt: Attempt) -> None:
    attempt.console_file.write_text("a long first line\n")
    reader = ConsoleReader(attempt)
    reader.poll()
    attempt.console_file.write_text("new\n")
    reader.poll()
    assert texts(reader) == ["a long first line", "new"]


def test_lines_of_ranks_come_in_the_order_in_which_they_were_printed_and_know_their_rank(attempt: Attempt) -> None:
    attempt.console_file.write_text("torchrun speaks\n")
    for rank in (0, 1):
        rank_log(attempt, rank).write_text(f"hello {rank}\n")
    reader = ConsoleReader(attempt)
    reader.poll()
    with rank_log(attempt, 0).open("a") as file:
        file.write("more of 0\n")
    reader.poll()
    assert reader.lines[-1] == ConsoleLine("more of 0", 0, "info")
    assert {(line.text, line.rank) for line in reader.lines} == {
        ("torchrun speaks", None), ("hello 0", 0), ("hello 1", 1), ("more of 0", 0)
    }  # fmt: skip


def test_of_a_long_log_the_end_is_read_and_the_newest_lines_are_kept(attempt: Attempt) -> None:
    attempt.console_file.write_text("".join(f"line {number:06d}\n" for number in range(20_000)))
    reader = ConsoleReader(attempt)
    reader.poll()
    assert texts(reader)[-1] == "line 019999" and len(reader.lines) < MOST_LINES + 1
    assert all(text.startswith("line ") and len(text) == 11 for text in texts(reader)), "no line is cut"
    with attempt.console_file.open("a") as file:
        file.writelines(f"more {number:06d}\n" for number in range(MOST_LINES + 10))
    while reader.poll():
        pass
    assert len(reader.lines) == MOST_LINES and texts(reader)[-1] == f"more {MOST_LINES + 9:06d}"


def test_a_log_that_is_longer_than_what_is_read_of_it_says_so_in_its_first_line(attempt: Attempt) -> None:
    attempt.console_file.write_text("".join(f"line {number:06d} {'x' * 100}\n" for number in range(1000)))
    reader = ConsoleReader(attempt)
    reader.poll()
    first, second, *_ = texts(reader)
    assert first == f"… {113_000 - (64 << 10):,} bytes before this are in console.log"
    assert second.startswith("line ") and texts(reader)[-1].startswith("line 000999 ")
    with attempt.console_file.open("a") as file:
        file.write("more\n")
    assert reader.poll() and sum("bytes before this" in text for text in texts(reader)) == 1


def test_a_line_that_is_not_plain_has_words_for_people(attempt: Attempt) -> None:
    attempt.console_file.write_text("plain\n{json}\n")
    reader = ConsoleReader(attempt, lambda text: "words" if text.startswith("{") else "")
    reader.poll()
    assert [(line.text, line.shown) for line in reader.lines] == [("plain", "plain"), ("{json}", "words")]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("step 10 loss 6.9", "info"),
        ("/x/torch/y.py:3: UserWarning: something", "warning"),
        ("RuntimeError: CUDA error: out of memory", "error"),
        ("ValueError: bad", "error"),
        ("[rank1]: Fatal Python error: Segmentation fault", "error"),
        ('12:00:00 step 3 {"kind": "notice", "level": "warning", "message": "no error here"}', "warning"),
        ('12:00:00 step 3 {"kind": "notice", "level": "info", "message": "an error is mended"}', "info"),
        ('12:00:00 step 3 {"kind": "health", "symptom": "spike", "message": "x"}', "warning"),
        ('12:00:00 step 3 {"kind": "attempt_ended", "state": "failed", "reason": "x"}', "error"),
        ("the mirrored terrors of errorless text", "info"),
    ],
)
def test_the_level_of_a_line_is_told_by_its_own_words(text: str, level: str) -> None:
    assert level_of(text) == level


def test_a_traceback_is_an_error_to_its_last_line(attempt: Attempt) -> None:
    attempt.console_file.write_text(
        "before\nTraceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    train()\n"
        "mylib.Broken: it broke\nafter\n"
    )  # fmt: skip
    reader = ConsoleReader(attempt)
    reader.poll()
    assert [line.level for line in reader.lines] == ["info", "error", "error", "error", "error", "info"]

"""Files of yours: every kind, and everything that can be wrong with them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.data.documents import DataError
from engine.data.sources import open_documents
from engine.stopping import StopRequested
from presets.schema import DataConfig
from tests.fakes.hub import use_own_caches
from tests.fakes.hub_texts import passages


@pytest.fixture(autouse=True)
def own_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps of the files stays with the test."""
    use_own_caches(monkeypatch)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody watches."""


def texts_of(path: Path, **values: Any) -> list[list[str]]:
    values = {"lowercase": False, "min_words": 1, **values}
    return list(open_documents(DataConfig(source="files", dataset=str(path), **values), quiet).read())


def test_a_text_file_with_blank_lines_has_a_document_a_block(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone two\nthree\r\n\n   \nfour five\n\n")
    assert texts_of(path) == [["one two", "three"], ["four five"]]


def test_a_text_file_without_blank_lines_has_a_document_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one two\nthree\n\n")
    assert texts_of(path)[:2] == [["one two"], ["three"]]
    path.write_text("one two\nthree four")
    assert texts_of(path) == [["one two"], ["three four"]]


def test_documents_end_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.txt").write_text("a one\n\na two\na three")
    (tmp_path / "b.txt").write_text("b one\nb two")
    (tmp_path / "below" / "c.txt").write_text("c one\n\nc two\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "notes.md").write_text("not read")
    found = texts_of(tmp_path)
    assert found == [["a one"], ["a two", "a three"], ["b one"], ["b two"], ["c one"], ["c two"]]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_of_files_with_columns_every_row_is_a_document(tmp_path: Path, suffix: str) -> None:
    rows = passages(30)
    for number in range(2):
        part = [{"label": number, "body": row} for row in rows[number * 15 : number * 15 + 15]]
        write(tmp_path / f"{number}.{suffix}", part)
    assert texts_of(tmp_path, text_column="body") == [[row] for row in rows]
    drawn = texts_of(tmp_path, text_column="body", max_samples=7)
    assert len(drawn) == 7 and drawn != [[row] for row in rows[:7]]
    assert texts_of(tmp_path, text_column="body", max_samples=7, shuffle=False) == [[row] for row in rows[:7]]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write(path, [{"body": "some words", "label": 1}])
    with pytest.raises(DataError, match="has no column 'text'; its columns are body, label"):
        texts_of(path)


def test_a_csv_with_other_columns_is_named_and_one_with_more_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [{"text": "first words"}])
    write(tmp_path / "b.csv", [{"id": 7, "text": "second words"}])
    assert texts_of(tmp_path) == [["first words"], ["second words"]]
    write(tmp_path / "c.csv", [{"id": 7, "body": "third words"}])
    with pytest.raises(DataError, match=r"c\.csv has no column 'text'; its columns are id, body"):
        texts_of(tmp_path)


def test_words_of_a_csv_that_look_like_numbers_or_gaps_stay_words(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [{"text": "12"}, {"text": "NA"}, {"text": ""}, {"text": "with, comma\nand line"}])
    assert texts_of(tmp_path) == [["12"], ["NA"], [], ["with, comma\nand line"]]


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv"])
def test_bytes_that_are_no_utf8_and_nul_bytes_do_not_stop_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    bad = b"caf\xff and n\x00ul"
    lines = {
        "txt": bad + b"\ngood line\n",
        "jsonl": b'{"text": "caf\xff and n\\u0000ul"}\n{"text": "good line"}\n',
        "csv": b"text\n" + bad + b"\ngood line\n",
    }
    path.write_bytes(lines[suffix])
    assert texts_of(path) == [["caf\ufffd and nul"], ["good line"]]


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv", "parquet"])
def test_one_enormous_document_is_read_whole(tmp_path: Path, suffix: str) -> None:
    text = "word " * 4_000_000 + "end"
    path = tmp_path / f"a.{suffix}"
    if suffix == "txt":
        path.write_text(f"{text}\nshort line\n")
    else:
        write(path, [{"text": text}, {"text": "short line"}])
    enormous, short = texts_of(path)
    assert enormous == [text] and short == ["short line"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"not parquet", r"a\.parquet is no Parquet file, or it is cut off"),
        ("a.jsonl", b'{"text": "fine"}\n{"text": oops}\n', r"a\.jsonl, line 2 is no JSON"),
        ("a.jsonl", b'{"text": "fine"}\n[1, 2]\n', r"a\.jsonl, line 2 is no JSON object"),
        ("a.csv", b'text\n"never closed\nmore words\n', r"a\.csv cannot be read: .*EOF inside string"),
        ("a.csv", b"", r"a\.csv has no column 'text'; it has no columns"),
        ("a.txt", b"", r"a\.txt has no rows"),
        ("a.jsonl", b"", r"a\.jsonl has no rows"),
        ("a.csv", b"text\n", r"a\.csv has no rows"),
        ("a.docx", b"words", r"a\.docx: '\.docx' is none of \.txt \.jsonl \.csv \.parquet"),
        ("notes", b"words", r"notes: 'no suffix' is none of"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        texts_of(path)


def test_the_one_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.jsonl", [{"text": f"number {number}"}])
    (tmp_path / "1.jsonl").write_text('{"text": "fine"}\n{"text"')
    with pytest.raises(DataError, match=r"1\.jsonl, line 2 is no JSON"):
        texts_of(tmp_path)


def test_a_folder_without_text_and_one_of_several_kinds_say_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        texts_of(tmp_path / "gone")
    with pytest.raises(DataError, match=r"has no text files \(\.txt \.jsonl \.csv \.parquet\)"):
        texts_of(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    write(tmp_path / "b.csv", [{"text": "words"}])
    with pytest.raises(DataError, match=r"several kinds \(1 \.csv, 1 \.txt\)"):
        texts_of(tmp_path)


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before now")
    assert texts_of(path) == [["before now"]]
    path.write_text("after it changed")
    assert texts_of(path) == [["after it changed"]]


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv", "parquet"])
def test_a_file_that_another_one_with_the_same_time_took_the_place_of_is_read_anew(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    for texts in (["before now"], ["after it changed", "in two lines"]):
        if suffix == "txt":
            path.write_text("\n".join(texts))
        else:
            write(path, [{"text": text} for text in texts])
        os.utime(path, ns=(10**18, 10**18))
        assert texts_of(path) == [[text] for text in texts]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows in the format that the suffix says; CSV with every text quoted."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [",".join(rows[0]), *(",".join(json.dumps(value) for value in row.values()) for row in rows)]
        path.write_text("\n".join(lines).replace("\\n", "\n") + "\n")


def test_reading_files_reports_the_rows_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"text": "row number {i} of many"}}\n' for i in range(5000)))
    said: list[tuple[str, int, str]] = []
    open_documents(
        DataConfig(source="files", dataset=str(path)),
        lambda phase, done, total, unit: said.append((phase, done, unit)),
    )
    assert (f"reading {path}", 5000, "rows") in said


def test_a_stop_while_files_are_read_is_a_stop_and_reads_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal raises in whichever line runs, here in a generator of `datasets`, which wraps what it raises."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("some words\n" * 50)
    calls: list[int] = []

    def interrupted(*_: Any) -> Any:
        calls.append(1)
        raise StopRequested("stopped by SIGTERM")

    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write_table", interrupted)
    with pytest.raises(StopRequested, match="stopped by SIGTERM"):
        texts_of(tmp_path)
    assert len(calls) == 1


def test_a_report_that_asks_to_stop_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"text": "row number {i} of many"}}\n' for i in range(5000)))

    def stop(phase: str, done: int, total: int, unit: str) -> None:
        if done:
            raise StopRequested("stopped on request")

    with pytest.raises(StopRequested, match="stopped on request"):
        open_documents(DataConfig(source="files", dataset=str(path)), stop)

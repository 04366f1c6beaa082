"""Records: what is acknowledged is there, what is torn costs itself alone, a full disk pauses and no more."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.launch import child_environment
from runs.records import RecordTail, RecordWriter, decode_lines, last_records, seal, unseal
from tests.file_limit import no_file_larger_than

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text().filter(lambda key: key != "seq"), JSON_VALUES, max_size=6)


def written(path: Path, *records: dict[str, Any]) -> bytes:
    writer = RecordWriter(path)
    for record in records:
        assert writer.write(record)
    writer.close()
    return path.read_bytes()


@settings(max_examples=100, deadline=None)
@given(records=st.lists(RECORDS, max_size=5))
def test_what_is_written_is_read_back(records: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "records.jsonl"
        written(path, *records)
        tail = RecordTail(path)
        read = tail.poll_all()
    assert read == [{**record, "seq": seq} for seq, record in enumerate(records, 1)]
    assert tail.num_skipped == 0


def test_every_line_is_plain_json(tmp_path: Path) -> None:
    content = written(tmp_path / "m.jsonl", {"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan")})
    first, second = (json.loads(line) for line in content.splitlines())
    assert first["loss"] == 0.5 and second["loss"] is None
    assert set(first) == {"step", "loss", "seq", "crc"}


def test_a_changed_byte_anywhere_costs_its_own_line_alone() -> None:
    lines = [seal(b'{"step":%d,"loss":0.25,"seq":%d}' % (step, step)) for step in (1, 2, 3)]
    content = b"".join(lines)
    start, end = len(lines[0]), len(lines[0]) + len(lines[1])
    for position in range(start, end - 1):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            damaged = bytearray(content)
            damaged[position] ^= flip
            records, num_skipped = decode_lines(bytes(damaged).split(b"\n"))
            assert [record["step"] for record in records] == [1, 3], (position, flip)
            assert num_skipped in (1, 2)  # 2 when the flip makes a newline
    damaged = bytearray(content)
    damaged[end - 1] ^= 0xFF  # its newline: it now runs into the third line
    records, num_skipped = decode_lines(bytes(damaged).split(b"\n"))
    assert ([record["step"] for record in records], num_skipped) == ([1], 1)


def test_an_unfinished_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    content = written(path, {"step": 1}, {"step": 2})
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        tail = RecordTail(path)
        before = tail.poll_all()
        path.write_bytes(content)
        assert [record["step"] for record in before + tail.poll_all()] == [1, 2], cut
        assert tail.num_skipped == 0


def test_a_stretch_of_torn_lines_longer_than_a_read_does_not_hide_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes((b"x" * 999 + b"\n") * 5000 + seal(b'{"step":7,"seq":1}'))
    tail = RecordTail(path)
    assert [record["step"] for record in tail.poll_all()] == [7]
    assert tail.num_skipped == 5000


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    written(path, {"step": 1}, {"step": 2})
    tail = RecordTail(path)
    assert len(tail.poll_all()) == 2
    path.rename(tmp_path / "old.jsonl")
    written(path, {"step": 9}, {"step": 10}, {"step": 11})
    assert [record["step"] for record in tail.poll_all()] == [9, 10, 11]


def test_a_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    tail = RecordTail(tmp_path / "m.jsonl")
    assert tail.poll_all() == [] == last_records(tail.path)
    written(tail.path, {"step": 1})
    assert [record["step"] for record in tail.poll_all()] == [1]


def test_an_old_file_is_never_continued(tmp_path: Path) -> None:
    written(tmp_path / "m.jsonl", {"step": 1})
    with pytest.raises(FileExistsError):
        RecordWriter(tmp_path / "m.jsonl")


def test_the_last_records_come_without_the_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    written(path, *({"step": step} for step in range(100)))
    steps = [record["step"] for record in last_records(path, num_bytes=200)]
    assert steps and steps == list(range(100 - len(steps), 100))


def test_an_object_that_holds_a_crc_of_its_own_is_kept() -> None:
    payload = b'{"crc":"00000000","step":1}'
    assert unseal(seal(payload).rstrip(b"\n")) == payload


def cannot_cut_back(writer: RecordWriter) -> bool:
    """In place of its own: on a file system that needs room even for that."""
    return False


def test_records_without_room_wait_and_come_in_order(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path / "m.jsonl")
    assert writer.write({"step": 1})
    with no_file_larger_than(tmp_path.joinpath("m.jsonl").stat().st_size + 20):
        assert not writer.write({"step": 2})
        writer.hold({"step": 3})
        assert not writer.flush()
        assert writer.num_waiting == 2
    assert writer.write({"step": 4})
    writer.close()
    tail = RecordTail(tmp_path / "m.jsonl")
    assert [(r["step"], r["seq"]) for r in tail.poll_all()] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert (tail.num_skipped, writer.num_dropped, writer.num_waiting) == (0, 0, 0)


def test_where_a_torn_record_cannot_be_cut_off_nothing_is_glued_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RecordWriter(tmp_path / "m.jsonl")
    with monkeypatch.context() as patched, no_file_larger_than(20):
        patched.setattr(RecordWriter, "_cut_back", cannot_cut_back)
        assert not writer.write({"step": 1})
        assert (tmp_path / "m.jsonl").stat().st_size == 20
    with monkeypatch.context() as patched:
        patched.setattr(RecordWriter, "_cut_back", cannot_cut_back)
        assert not writer.write({"step": 2})
    assert writer.write({"step": 3})
    assert [record["step"] for record in RecordTail(tmp_path / "m.jsonl").poll_all()] == [1, 2, 3]


def test_a_reader_that_saw_the_beginning_of_a_cut_record_reads_all_of_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for looks_between in (False, True):
        path = tmp_path / f"{looks_between}.jsonl"
        writer, tail = RecordWriter(path), RecordTail(path)
        writer.write({"step": 1})
        with monkeypatch.context() as patched, no_file_larger_than(path.stat().st_size + 20):
            patched.setattr(RecordWriter, "_cut_back", cannot_cut_back)
            assert not writer.write({"step": 2})  # half of it is there for a moment
        assert [record["step"] for record in tail.poll_all()] == [1]
        with no_file_larger_than(1):
            assert not writer.flush()  # the half is cut off again
        if looks_between:
            assert tail.poll_all() == []
        assert writer.write({"step": 3})
        assert [record["step"] for record in tail.poll_all()] == [2, 3]
        assert tail.num_skipped == 0


def test_when_too_much_waits_the_older_records_are_given_up_and_counted(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path / "m.jsonl", most_waiting_bytes=500)
    with no_file_larger_than(20):
        for step in range(1, 101):
            assert not writer.write({"step": step})
    assert writer.flush()
    steps = [record["step"] for record in RecordTail(tmp_path / "m.jsonl").poll_all()]
    assert steps[0] == 1, "a reader may have seen its beginning"
    assert 5 < len(steps) < 20 and steps[1:] == list(range(102 - len(steps), 101))
    assert writer.num_dropped == 100 - len(steps)


FULL_DISK = """
import json, resource, sys
from pathlib import Path
from runs.records import RecordTail, RecordWriter

folder, problems = Path(sys.argv[1]), []
for limit in range(1, 201):
    path = folder / f"{limit}.jsonl"
    writer, kept, step = RecordWriter(path), [], 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for _ in range(6):  # some fit, one is cut short, the rest find no room at all
        step += 1
        if writer.write({"step": step, "loss": 0.125}):
            kept.append(step)
    on_disk = path.read_bytes()
    if on_disk and not on_disk.endswith(b"\\n"):
        problems.append(f"{limit}: the file ends within a record")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(2):  # there is room again
        step += 1
        if writer.write({"step": step, "loss": 0.125}):
            kept.append(step)
    writer.close()
    tail = RecordTail(path)
    read = [record["step"] for record in tail.poll_all()]
    if read != list(range(1, 9)) or not set(kept) <= set(read) or len(kept) < 2 or tail.num_skipped:
        problems.append(f"{limit}: kept {kept}, read {read}, skipped {tail.num_skipped}")
    if writer.num_dropped or writer.num_waiting:
        problems.append(f"{limit}: {writer.num_dropped} dropped, {writer.num_waiting} still wait")
print(json.dumps(problems))
"""


def test_a_disk_full_at_any_byte_pauses_recording_and_tears_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        env=child_environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == []


def test_a_tail_goes_on_where_another_one_stood(tmp_path: Path) -> None:
    written(writer_path(tmp_path), *({"step": step} for step in range(5)))
    with writer_path(tmp_path).open("ab") as file:
        file.write(b"torn\n")
    first = RecordTail(writer_path(tmp_path))
    assert first.num_unread() == writer_path(tmp_path).stat().st_size
    first.poll_all()
    assert first.num_unread() == 0
    with writer_path(tmp_path).open("ab") as file:
        file.write(seal(b'{"step":5,"seq":6}'))
        file.write(b'{"step":6')  # not finished yet
    place = first.place
    first.poll_all()
    second = RecordTail(writer_path(tmp_path))
    second.go_to(place)
    assert [record["step"] for record in second.poll_all()] == [5]
    assert second.num_skipped == 1 and second.place == first.place
    with writer_path(tmp_path).open("ab") as file:
        file.write(b"}\n")
    assert second.num_unread() == 2


def writer_path(folder: Path) -> Path:
    return folder / "metrics.jsonl"

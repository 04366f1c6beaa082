"""A column behaves as an array does, wherever its numbers are."""

from __future__ import annotations

import os
import random
from array import array
from bisect import bisect_left
from pathlib import Path

import pytest

from runs import ownership, series_cache, series_keeper
from runs.columns import Column, ColumnFile
from runs.folder import RunFolder
from runs.reader import RunReader
from tests.run_writer import AttemptWriter, new_run


def kept(path: Path, numbers: array[float], before: bytes = b"eight by") -> tuple[ColumnFile, int]:
    """A file that holds them behind something else."""
    path.write_bytes(before + numbers.tobytes())
    descriptor = os.open(path, os.O_RDONLY)
    file = ColumnFile(descriptor)
    os.close(descriptor)
    return file, len(before)


def test_whatever_is_done_to_a_column_it_is_what_an_array_would_be(tmp_path: Path) -> None:
    chance = random.Random(0)
    plain, column = array("d"), Column()
    for turn in range(400):
        match chance.randrange(5):
            case 0:
                plain.append(turn)
                column.append(turn)
            case 1:
                more = array("d", [chance.random() for _ in range(chance.randrange(2000))])
                plain.extend(more)
                column.extend(more)
            case 2:
                length = chance.randint(len(plain) // 2, len(plain) + 3)
                del plain[length:]
                del column[length:]
            case 3:
                count = chance.randint(0, len(plain))
                column.rest_on(*kept(tmp_path / f"{turn}", plain[:count]), count)
                assert column.num_in_file == count
            case _:
                ends = sorted(chance.randint(-2, len(plain) + 2) for _ in range(2))
                assert column[ends[0] : ends[1]] == plain[ends[0] : ends[1]]
        assert len(column) == len(plain) and bool(column) == bool(plain)
        for place in {0, -1, len(plain) // 2, len(plain) - 1} if plain else ():
            assert column[place] == plain[place]
    assert list(column) == list(plain) and column == plain
    ascending = Column("d", sorted(plain))
    for x in (0.1, 7.0, 1e6):
        assert bisect_left(ascending, x) == bisect_left(sorted(plain), x)


def test_there_is_nothing_before_the_first_number_and_nothing_behind_the_last(tmp_path: Path) -> None:
    column = Column()
    column.rest_on(*kept(tmp_path / "file", array("d", [1.0, 2.0])), 2)
    column.append(3.0)
    for place in (3, -4):
        with pytest.raises(IndexError):
            column[place]


def test_a_file_that_became_shorter_gives_zeros(tmp_path: Path) -> None:
    numbers = array("d", map(float, range(1, 2001)))
    column = Column()
    column.rest_on(*kept(tmp_path / "file", numbers), 2000)
    os.truncate(tmp_path / "file", 8 + 8 * 1000 + 3)
    assert column[999:1002] == array("d", [1000.0, 0.0, 0.0]) and column[1999] == 0.0
    assert sum(column) == sum(range(1001))


def written_run(runs: Path) -> RunFolder:
    folder = new_run(runs)
    writer = AttemptWriter(folder)
    writer.start()
    writer.run_to(600)
    writer.end("stopped", "you stopped it")
    return folder


def read(folder: RunFolder) -> RunReader:
    reader = RunReader(folder)
    while reader.poll().is_behind:
        pass
    return reader


def test_what_is_in_the_cache_is_not_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_keeper, "LEAST_BYTES", 1)
    folder = written_run(tmp_path)
    reader = read(folder)
    before = reader.poll().series["loss"]
    values, picture = before.value[:], before.reduce(0, 1e6, 7)
    assert before.value.num_in_file == 0
    while reader.keep_cache():
        pass
    assert before.value.num_in_file == before.axis.time.num_in_file == len(values) == 60
    assert (before.value[:], before.reduce(0, 1e6, 7)) == (values, picture)
    again = read(folder).poll().series["loss"]
    assert again.value.num_in_file == 60
    assert (again.value[:], again.reduce(0, 1e6, 7)) == (values, picture)


def test_of_a_run_that_others_can_change_everything_is_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_keeper, "LEAST_BYTES", 1)
    folder = written_run(tmp_path)
    reader = read(folder)
    while reader.keep_cache():
        pass
    assert reader.poll().series["loss"].value.num_in_file
    monkeypatch.setattr(series_cache, "why_read_only", lambda folder: "it belongs to somebody else")
    assert ownership.why_read_only(folder) == ""
    foreign = read(folder).poll().series["loss"].value
    assert foreign.num_in_file == 0 and foreign == reader.poll().series["loss"].value

"""The cache of a run's columns saves time and nothing else: what it gives is what the records say."""

import math
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from runs import series_cache, series_keeper
from runs.folder import RunFolder
from runs.reader import RunReader
from runs.series_cache import FILE_NAME
from runs.snapshot import RunSnapshot
from tests.run_writer import AttemptWriter, Supervision, new_run


@pytest.fixture(autouse=True)
def keeps_short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_keeper, "LEAST_BYTES", 1)
    monkeypatch.setattr(series_keeper, "_PIECES_S", 0.0)  # a piece at a time, so that there is something between


def written_run(runs: Path, name: str = "warm-otter") -> RunFolder:
    """A run with a resume, a gap, a torn line, a record that goes back, and an attempt that never began."""
    folder = new_run(runs, name)
    first = AttemptWriter(folder)
    first.start()
    first.evaluate(8.3)
    first.run_to(400)
    first.train(410, 1.0, loss=math.nan)
    first.train(390, 1.0)
    first.close()
    with first.attempt.metrics_file.open("ab") as file:
        file.write(b'{"step":411,"loss\n')
    AttemptWriter(folder, 2).close()
    third = AttemptWriter(folder, 3, clock=first.clock)
    third.start(step=300)
    third.run_to(600)
    third.end("stopped", "you stopped it")
    return folder


def read(reader: RunReader) -> RunSnapshot:
    snapshot = reader.poll()
    while snapshot.is_behind:
        snapshot = reader.poll()
    return snapshot


def kept(folder: RunFolder) -> RunReader:
    """A reader that has written the cache."""
    reader = RunReader(folder)
    read(reader)
    while reader.keep_cache():
        pass
    assert (folder.cache_dir / FILE_NAME).is_file()
    return reader


def described(snapshot: RunSnapshot) -> dict[str, object]:
    """Everything a snapshot says, with the columns as lists."""
    said = {one.name: getattr(snapshot, one.name) for one in fields(snapshot)}
    del said["version"]
    said["series"] = {
        name: (
            *(list(column) for column in series.axis.columns),
            [None if math.isnan(value) else value for value in series.value],
            list(series.gaps),
            series.reduce(0, 1e6, 7),
        )
        for name, series in snapshot.series.items()
        if len(series)
    }
    return said


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether each load found columns that hold."""
    found: list[bool] = []
    load = series_cache.load

    def told(folder: RunFolder) -> object:
        result = load(folder)
        found.append(result is not None)
        return result

    monkeypatch.setattr("runs.reader.load", told)
    yield found


def test_an_opening_from_the_cache_says_what_the_records_say(tmp_path: Path, opened: list[bool]) -> None:
    folder = written_run(tmp_path)
    kept(folder)
    from_cache = described(read(RunReader(folder)))
    (folder.cache_dir / FILE_NAME).unlink()
    assert from_cache == described(read(RunReader(folder)))
    assert opened == [False, True, False]
    assert from_cache["num_skipped"] == 2 and from_cache["splices"] == (300,)


def test_the_pyramid_comes_back_with_the_columns(tmp_path: Path) -> None:
    folder = written_run(tmp_path)
    reader = RunReader(folder)
    read(reader).series["loss"].reduce(0, 1e6, 5)
    while reader.keep_cache():
        pass
    loss = RunReader(folder).poll().series["loss"]
    assert [len(level) for level in loss.pyramid.levels] == [len(loss) // 16]


def test_records_that_came_since_are_read_and_hide_what_they_must(tmp_path: Path, opened: list[bool]) -> None:
    folder = written_run(tmp_path)
    kept(folder)
    fourth = AttemptWriter(folder, 4, clock=1_770_000_000.0)
    fourth.start(step=450)
    fourth.run_to(700)
    fourth.close()
    from_cache = described(read(RunReader(folder)))
    (folder.cache_dir / FILE_NAME).unlink()
    assert from_cache == described(read(RunReader(folder)))
    assert opened == [False, True, False] and from_cache["splices"] == (300, 450)


def test_a_live_run_goes_on_from_the_cache_with_a_time_to_go(tmp_path: Path, opened: list[bool]) -> None:
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder, clock=time.time())
    writer.start()
    writer.run_to(500, seconds_per_step=0.2)
    kept(folder)
    writer.run_to(600, seconds_per_step=0.2)
    snapshot = read(RunReader(folder))
    assert opened == [False, True]
    assert snapshot.step == 600 and len(snapshot.series["loss"]) == 60
    assert snapshot.eta_s == pytest.approx(600 * 0.2, rel=0.05)
    writer.close()
    supervision.close()


def test_every_damage_is_seen_and_the_records_are_read_instead(tmp_path: Path, opened: list[bool]) -> None:
    folder = written_run(tmp_path)
    kept(folder)
    path = folder.cache_dir / FILE_NAME
    content = path.read_bytes()
    whole = described(read(RunReader(folder)))
    chance = random.Random(5)
    opened.clear()
    for _ in range(60):
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :])
        assert described(read(RunReader(folder))) == whole
        path.write_bytes(content[: chance.randrange(len(content))])
        assert described(read(RunReader(folder))) == whole
    assert opened == [False] * 120
    path.write_bytes(content)
    assert described(read(RunReader(folder))) == whole and opened[-1]


def test_columns_of_other_records_are_left_aside(tmp_path: Path, opened: list[bool]) -> None:
    folder = written_run(tmp_path)
    kept(folder)
    records = folder.attempt(3).metrics_file
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(b"".join(lines[:-5]))  # the same file, cut and with another time
    assert read(RunReader(folder)).series["loss"].step[-1] < 600
    copy = RunFolder(tmp_path / "copies" / folder.id)
    kept(folder)
    shutil.copytree(folder.path, copy.path)
    read(RunReader(copy))
    assert opened == [False, False, False, False]


def test_a_resume_while_it_is_written_leaves_no_cache_of_hidden_points(tmp_path: Path) -> None:
    folder = written_run(tmp_path)
    reader = RunReader(folder)
    read(reader)
    assert reader.keep_cache(), "the first piece"
    fourth = AttemptWriter(folder, 4)
    fourth.start(step=100)
    fourth.close()
    read(reader)
    while reader.keep_cache():
        pass
    assert list(folder.cache_dir.iterdir()) == []


def test_a_live_run_grows_while_its_columns_are_written(tmp_path: Path, opened: list[bool]) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.run_to(300)
    reader = RunReader(folder)
    read(reader)
    while reader.keep_cache():
        if writer.step < 600:
            writer.run_to(writer.step + 100)
        read(reader)
    writer.close()
    opened.clear()
    snapshot = read(RunReader(folder))
    assert opened == [True] and snapshot.step == writer.step
    assert list(snapshot.series["loss"].step) == list(range(10, writer.step + 1, 10))


def test_a_reader_that_is_closed_or_killed_in_the_middle_leaves_nothing_for_long(tmp_path: Path) -> None:
    folder = written_run(tmp_path)
    reader = RunReader(folder)
    read(reader)
    assert reader.keep_cache()
    assert len(list(folder.cache_dir.iterdir())) == 1
    reader.close()
    assert list(folder.cache_dir.iterdir()) == []
    left = folder.cache_dir / f".{FILE_NAME}.99.0000.tmp"
    left.write_bytes(b"of a dashboard that was killed")
    os.utime(left, (1, 1))
    kept(folder)
    assert not left.exists()


def test_two_readers_at_once_leave_one_whole_cache(tmp_path: Path, opened: list[bool]) -> None:
    folder = written_run(tmp_path)
    readers = [RunReader(folder), RunReader(folder)]
    for reader in readers:
        read(reader)
    while readers[0].keep_cache() | readers[1].keep_cache():
        pass
    assert [path.name for path in folder.cache_dir.iterdir()] == [FILE_NAME]
    opened.clear()
    read(RunReader(folder))
    assert opened == [True]


def test_without_a_place_for_it_the_run_is_read_all_the_same(tmp_path: Path) -> None:
    folder = written_run(tmp_path)
    shutil.rmtree(folder.cache_dir)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.cache_dir.symlink_to(elsewhere)
    reader = RunReader(folder)
    assert read(reader).step == 600
    assert not reader.keep_cache() and list(elsewhere.iterdir()) == []


def test_nothing_is_written_into_a_run_of_somebody_else(tmp_path: Path) -> None:
    folder = written_run(tmp_path)
    folder.path.chmod(0o500)
    reader = RunReader(folder)
    assert read(reader).step == 600
    assert not reader.keep_cache()
    folder.path.chmod(0o700)
    assert list(folder.cache_dir.iterdir()) == []


def test_a_nearly_full_disk_gets_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written_run(tmp_path)
    monkeypatch.setattr("runs.series_cache_writer._KEPT_FREE_BYTES", 1 << 60)
    reader = RunReader(folder)
    assert read(reader).step == 600
    assert not reader.keep_cache() and list(folder.cache_dir.iterdir()) == []


def test_a_short_run_is_not_worth_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    reader = RunReader(written_run(tmp_path))
    read(reader)
    assert not reader.keep_cache()


def test_a_long_read_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.reader._SLICE_S", 0.0)
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.close()
    line = writer.attempt.metrics_file
    with line.open("ab") as file:
        from runs.records import seal

        for step in range(1, 60_001):
            file.write(seal(b'{"step":%d,"time":1.0,"elapsed_s":%d,"tokens":1,"loss":2.5}' % (step, step)))
    reader = RunReader(folder)
    shares = []
    while (snapshot := reader.poll()).is_behind:
        shares.append(snapshot.share_read)
    assert shares and shares == sorted(shares) and 0 < shares[0] < 0.1 and 0.9 < shares[-1] <= 1.0
    assert snapshot.share_read == 1.0 and len(snapshot.series["loss"]) == 60_000

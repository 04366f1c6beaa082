"""What the dashboard remembers: sections that survive a start, two dashboards, and files of any content."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tui import remembered
from tui.remembered import Remembered, remembered_path


@pytest.fixture
def path() -> Path:
    return remembered_path()


def test_a_section_is_there_at_the_next_start_and_only_for_its_owner(path: Path) -> None:
    first = Remembered(path)
    first.put("runs", {"filter": "loss<3", "columns": ["name", "best"]})
    first.flush()
    assert Remembered(path).get("runs") == {"filter": "loss<3", "columns": ["name", "best"]}
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in path.parent.iterdir()] == ["dashboard.json"]


def test_the_name_of_a_file_that_is_no_utf_8_is_kept_as_far_as_it_can_be(path: Path) -> None:
    one = Remembered(path)
    one.put("launch", {"preset": f"own:{os.fsdecode(b'wide' + bytes([255]))}", "drafts": {}})
    one.flush()
    assert Remembered(path).get("launch") == {"preset": "own:wide?", "drafts": {}}


def test_what_was_read_is_a_copy(path: Path) -> None:
    one = Remembered(path)
    one.put("runs", {"columns": ["name"]})
    one.get("runs")["columns"].append("best")
    assert one.get("runs") == {"columns": ["name"]}
    assert one.get("monitor") == {}


def test_of_two_dashboards_each_keeps_what_the_other_did_not_touch(path: Path) -> None:
    one, other = Remembered(path), Remembered(path)
    one.put("runs", {"sort": "best"})
    other.put("data", {"filter": "imdb"})
    one.flush()
    other.flush()
    again = Remembered(path)
    assert (again.get("runs"), again.get("data")) == ({"sort": "best"}, {"filter": "imdb"})


def test_what_is_put_is_written_by_itself_soon(path: Path) -> None:
    one = Remembered(path)
    one.put("runs", {"sort": "best"})
    timer = one._timer
    assert timer is not None and timer.daemon
    timer.join()
    assert Remembered(path).get("runs") == {"sort": "best"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'"x"', b'{"runs": }', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000],
    ids=range(8),
)
def test_a_damaged_file_is_said_and_costs_nothing_else(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    one = Remembered(path)
    assert one.get("runs") == {}
    assert "cannot be used" in one.problem
    one.put("runs", {"sort": "best"})
    one.flush()
    assert Remembered(path).get("runs") == {"sort": "best"}


@pytest.mark.parametrize("section", [b"3", b"[1]", b"null", b'"x"', b"[[[[" * 200 + b"]]]]" * 200])
def test_a_section_that_is_no_table_counts_as_none(path: Path, section: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"runs":' + section + b',"data":{"a":1}}')
    one = Remembered(path)
    assert one.get("runs") == {}


def test_a_pipe_or_a_folder_in_its_place_is_not_waited_for(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert "cannot be used" in Remembered(path).problem
    path.unlink()
    path.mkdir()
    one = Remembered(path)
    one.put("runs", {"sort": "best"})
    one.flush()
    assert one.unkept.startswith("where you were cannot be kept for the next start: Is a directory")


def test_what_a_full_disk_does_not_take_is_said_leaves_no_rest_and_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Remembered(path)
    with monkeypatch.context() as full:
        full.setattr(Path, "replace", _no_space)
        one.put("runs", {"sort": "best"})
        one.flush()
        assert "No space left on device" in one.unkept
        assert list(path.parent.iterdir()) == []
    one.flush()
    assert one.unkept == "" and Remembered(path).get("runs") == {"sort": "best"}


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_of_another_user_is_neither_used_nor_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"runs":{"sort":"theirs"}}')
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    one = Remembered(path)
    assert one.get("runs") == {} and "belongs to another user" in one.problem
    one.put("runs", {"sort": "mine"})
    one.flush()
    assert path.read_bytes() == b'{"runs":{"sort":"theirs"}}'


def test_what_is_no_json_is_a_mistake_of_ours(path: Path) -> None:
    with pytest.raises(TypeError):
        Remembered(path).put("runs", {"screen": object()})


def test_while_somebody_scrolls_it_is_written_now_and_then_and_soon_after_the_last_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, begun = 100.0, []

    class Timer:
        """Does nothing until it is told to."""

        def __init__(self, delay_s: float, do: Callable[[], None]) -> None:
            self.at, self.do, self.daemon = now + delay_s, do, False

        def start(self) -> None:
            begun.append(self)

        def cancel(self) -> None:
            begun.remove(self)

    monkeypatch.setattr(remembered, "threading", SimpleNamespace(Timer=Timer, Lock=threading.Lock))
    monkeypatch.setattr(remembered, "time", SimpleNamespace(monotonic=lambda: now))
    one, written = Remembered(path), []
    for tenth in range(101):  # ten seconds of scrolling
        now = 100.0 + tenth / 10
        for timer in [timer for timer in begun if timer.at <= now]:
            timer.do()
            written.append(now)
        one.put("data", {"entry": tenth})
    assert 4 <= len(written) <= 5 and written[0] == 101.0
    assert min(later - before for before, later in itertools.pairwise(written)) >= 2.0
    (last,) = begun
    assert last.at - now <= 2.5
    now += 60  # a change after a while of rest
    last.do()
    now += 60
    one.put("data", {"entry": -1})
    assert [timer.at - now for timer in begun] == [1.0]

"""What the list of runs is told, and when it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from textual.message_pump import MessagePump

from runs.index_cache import load_index
from tests.run_writer import finished_run
from tui.index_feed import IndexFeed, RunsListed


class _Screen:
    """Takes messages."""

    def __init__(self) -> None:
        self.told: list[RunsListed] = []

    def post_message(self, message: RunsListed) -> bool:
        self.told.append(message)
        return True


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of thirty ended runs, where a look reads twenty of them."""
    monkeypatch.setattr("runs.index_cache._WORTH_KEEPING", 1)
    monkeypatch.setattr("tui.index_feed._FIRST_S", 0.0)
    monkeypatch.setattr("tui.index_feed._NEXT_S", 0.0)
    for number in range(30):
        finished_run(tmp_path / "runs", f"run-{number}", steps=20)
    return tmp_path / "runs"


def test_the_list_is_told_whole_before_more_is_read_of_its_runs(runs: Path) -> None:
    screen = _Screen()
    feed = IndexFeed(runs, cast(MessagePump, screen))
    feed._read()
    feed._read()
    first, whole = screen.told
    assert (len(first.rows), first.num_unread) == (20, 10)
    assert (len(whole.rows), whole.num_unread) == (30, 0)
    assert all(row.num_bytes is None for row in whole.rows)


def test_the_list_is_kept_as_soon_as_all_of_it_is_read(runs: Path) -> None:
    screen = _Screen()
    feed = IndexFeed(runs, cast(MessagePump, screen))
    while not screen.told or any(row.num_bytes is None for row in screen.told[-1].rows):
        assert load_index(runs) == {}
        feed._read()
    assert len(load_index(runs)) == 30, "a program that is killed now has lost nothing"
    again = _Screen()
    IndexFeed(runs, cast(MessagePump, again))._read()
    assert again.told[0].rows == screen.told[-1].rows and again.told[0].num_unread == 0

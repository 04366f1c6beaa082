"""Screens with a feed: it rests while another screen is shown, ends with its own, and a defect of it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.pilots import until
from tui.app import TinyTrainApp
from tui.messages import FeedFailed
from tui.screens.fed_screen import FedScreen


@pytest.mark.parametrize(
    ("key", "place", "words"),
    [("3", "runs", "listing the runs failed"), ("4", "compare", "comparing failed"), ("6", "data", "a defect")],
)
async def test_a_feed_rests_ends_and_tells_of_its_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, place: str, words: str
) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    told: list[str] = []
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: app.place == place and app.screen.is_mounted)
        screen = app.screen
        assert isinstance(screen, FedScreen) and screen._feed is not None
        pause, stop = screen._feed.pause, screen._feed.stop
        monkeypatch.setattr(
            screen._feed, "pause", lambda rests: (told.append("rest" if rests else "go on"), pause(rests))
        )
        monkeypatch.setattr(screen._feed, "stop", lambda: (told.append("end"), stop()))
        screen.post_message(FeedFailed("Traceback …\nValueError: [bold]no[/bold]\x1b[2J"))
        await until(pilot, lambda: len(app._notifications))
        (said,) = app._notifications
        assert words in said.message and "ValueError: [bold]no[/bold]" in said.message
        assert "defect of ours" in said.message and "\x1b" not in said.message and not said.markup
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not screen)
        assert told == [], "a question over it is no reason to rest"
        await pilot.press("escape")
        await until(pilot, lambda: told == ["go on"])
        await pilot.press("1")
        await until(pilot, lambda: told == ["go on", "rest"])
        await pilot.press(key)
        await until(pilot, lambda: told == ["go on", "rest", "go on"])
    assert told[-1] == "end"

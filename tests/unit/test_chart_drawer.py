"""What a person asks of a chart is drawn at once; what a run records, a few times a second; no more than that."""

from dataclasses import replace
from pathlib import Path

import pytest

from runs.reader import RunReader
from tests.run_writer import AttemptWriter, new_run
from tui import chart_drawer
from tui.chart_drawer import ChartDrawer, ChartWishes, PaneWish, PicturesDrawn
from tui.charts.palette import WITHOUT_COLOUR
from tui.charts.view import ChartView

PANES = tuple(PaneWish(name, 80, 10) for name in ("loss", "lr", "gap"))
WISHES = ChartWishes(PANES, WITHOUT_COLOUR)


class Stage:
    """A run, its drawer, and what was drawn of which charts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.drawn: list[tuple[str, ...]] = []
        self.last: PicturesDrawn | None = None
        self.writer = AttemptWriter(new_run(folder))
        self.writer.start(total_steps=400)
        self.writer.run_to(200)
        self.reader = RunReader(self.writer.folder)
        self.drawer = ChartDrawer(self.take)
        self.num_pictures = 0
        monkeypatch.setattr(chart_drawer.time, "monotonic", lambda: self.now)
        draw = chart_drawer.draw
        monkeypatch.setattr(chart_drawer, "draw", lambda *of: (self.count(), draw(*of))[1])

    def count(self) -> None:
        self.num_pictures += 1

    def take(self, message: PicturesDrawn) -> None:
        self.drawn.append(tuple(message.charts))
        self.last = message

    def look(self, wishes: ChartWishes = WISHES) -> float | None:
        self.drawn.clear()
        while (snapshot := self.reader.poll()).is_behind:
            pass
        return self.drawer.draw(snapshot, wishes)


def seen_with(view: ChartView) -> ChartWishes:
    return replace(WISHES, panes=tuple(replace(pane, view=view) for pane in PANES))


def test_nothing_is_drawn_twice_and_what_was_recorded_waits_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    assert stage.look() is None and stage.drawn == [("loss", "lr", "gap")], "all at once, in one message"
    assert stage.look() is None and stage.drawn == []
    stage.now += 0.1
    stage.writer.run_to(201)
    wait = stage.look()
    assert stage.drawn == [] and wait == pytest.approx(0.15), "it was drawn a tenth of a second ago"
    stage.now += 0.2
    assert stage.look() and stage.drawn == [("loss",)], "the first comes first"
    stage.now += 5.0
    stage.writer.run_to(202)
    assert stage.look() is None and stage.drawn == [("loss", "lr")], "nothing of the gap has changed"


def test_another_view_is_drawn_at_once_and_a_crosshair_needs_no_new_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, monkeypatch)
    stage.look()
    before = stage.num_pictures
    stage.look(seen_with(ChartView(cursor=120.0)))
    assert stage.drawn == [("loss", "lr", "gap")] and stage.num_pictures == before
    assert stage.last is not None
    assert "@ step 120" in stage.last.charts["loss"].title and "step 120" in stage.last.charts["lr"].picture.text
    stage.look(seen_with(ChartView(low=50, high=100)))
    assert stage.drawn == [("loss", "lr", "gap")] and stage.num_pictures == before + 3
    assert stage.last is not None and stage.last.charts["lr"].note == "zoomed"

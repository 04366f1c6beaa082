"""The trash on Runs: what it holds is told, and goes for good only when a word has been typed."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from runs.disk import bytes_under
from runs.folder import all_runs
from runs.trash import TRASH, delete_run, half_purged, in_trash
from tests.run_writer import finished_run
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.figures import num_bytes
from tui.screens.browse import RunsScreen
from tui.screens.dialogs import TypedConfirmDialog
from tui.screens.trash_dialog import TrashDialog


@pytest.fixture
def deleted(tmp_path: Path) -> dict[str, Path]:
    """Where three deleted runs are, the oldest first; a fourth run is listed."""
    finished_run(tmp_path, "dog", steps=20)
    found = {}
    for days, name in ((9, "cat"), (2, "bee"), (0, "ant")):
        found[name] = delete_run(finished_run(tmp_path, name, steps=20))
        (found[name] / "checkpoints" / "weights").write_bytes(bytes(1000 * (1 + days)))
        os.utime(found[name], (time.time() - 86_400 * days - 30,) * 2)
    return found


async def on_runs(app: TinyTrainApp, pilot: Pilot[Any], num_runs: int = 1) -> RunsScreen:
    await app.run_action("show_runs")
    screen = app.screen
    assert isinstance(screen, RunsScreen)
    await until(pilot, lambda: len(screen.rows) == num_runs)
    return screen


def said(app: TinyTrainApp) -> str:
    return "\n".join(toast.message for toast in app._notifications)


async def look_into(app: TinyTrainApp, pilot: Pilot[Any]) -> TrashDialog:
    await app.screen.run_action("trash")
    await until(pilot, lambda: isinstance(app.screen, TrashDialog) and "Deleted runs" in shown_text(app))
    assert isinstance(app.screen, TrashDialog)
    return app.screen


async def typed(app: TinyTrainApp, pilot: Pilot[Any], question: str, word: str) -> None:
    await until(pilot, lambda: isinstance(app.screen, TypedConfirmDialog) and question in shown_text(app))
    await pilot.press(*word, "enter")


async def test_the_trash_is_summed_up_and_each_run_shown_with_size_and_age(
    tmp_path: Path, deleted: dict[str, Path]
) -> None:
    sizes = {name: bytes_under(path) for name, path in deleted.items()}
    total = num_bytes(sum(sizes.values()))
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await on_runs(app, pilot)
        await until(pilot, lambda: f"trash {total}" in shown_text(app))
        await look_into(app, pilot)
        assert f"Deleted runs · 3 · {total}" in shown_text(app)
        lines = [line for line in shown_text(app).splitlines() if "deleted " in line and "ago" in line]
        for line, name, age in zip(lines, ("ant", "bee", "cat"), (r"\d+s ago", "2d ago", "9d ago"), strict=True):
            assert name in line and re.search(age, line) and num_bytes(sizes[name]) in line
        await pilot.press(*"bee", "enter")
        await until(pilot, lambda: len(all_runs(tmp_path)) == 2)
        rest = num_bytes(sizes["ant"] + sizes["cat"])
        await until(pilot, lambda: f"trash {rest}" in shown_text(app))


async def test_one_run_is_deleted_for_good_when_its_name_was_typed(
    tmp_path: Path, deleted: dict[str, Path]
) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await on_runs(app, pilot)
        await look_into(app, pilot)
        await pilot.press("down", "ctrl+x")
        await typed(app, pilot, "Nothing brings it back", "ant")
        await until(pilot, lambda: "that is not bee" in shown_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert len(in_trash(tmp_path)) == 3
        await look_into(app, pilot)
        await pilot.press("down", "ctrl+x")
        await typed(app, pilot, "Delete this run for good?", "bee")
        await until(pilot, lambda: not deleted["bee"].exists())
        await until(pilot, lambda: "bee is gone for good, " in said(app))
        assert {one.path for one in in_trash(tmp_path)} == {deleted["ant"], deleted["cat"]}


async def test_what_was_deleted_for_good_cannot_be_taken_back_and_says_so(
    tmp_path: Path, deleted: dict[str, Path]
) -> None:
    half = tmp_path / TRASH / ".purged-20260101-000000-quickstart-aaaa.00000000"
    deleted["cat"].rename(half)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await on_runs(app, pilot)
        await pilot.press("d")
        await until(pilot, lambda: "Delete dog?" in shown_text(app))
        await pilot.press("y")
        await until(pilot, lambda: all_runs(tmp_path) == ())
        await until(pilot, lambda: app.screen is screen and bool(screen._trash))
        await screen.run_action("empty_trash")
        await until(pilot, lambda: "3 runs (" in shown_text(app) and "an interrupted emptying" in shown_text(app))
        await typed(app, pilot, "Empty the trash?", "empty")
        await until(pilot, lambda: in_trash(tmp_path) == () and half_purged(tmp_path) == ())
        await until(pilot, lambda: not screen._trash and "3 runs are gone for good" in said(app))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "The trash is empty" in said(app))
        await until(pilot, lambda: "trash " not in str(screen._counts()))


async def test_the_run_of_another_user_is_marked_and_stays(tmp_path: Path, deleted: dict[str, Path]) -> None:
    deleted["bee"].chmod(0o500)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await on_runs(app, pilot)
        await look_into(app, pilot)
        assert "⊘ bee" in shown_text(app)
        await pilot.press("down", "ctrl+x")
        await until(pilot, lambda: app.screen is screen and "cannot be written" in said(app))
        await look_into(app, pilot)
        await pilot.press("ctrl+e")
        await until(
            pilot, lambda: "2 runs (" in shown_text(app) and "1 run of other users stays" in shown_text(app)
        )
        await typed(app, pilot, "Empty the trash?", "empty")
        await until(pilot, lambda: {one.path for one in in_trash(tmp_path)} == {deleted["bee"]})
    deleted["bee"].chmod(0o700)


async def test_a_dashboard_that_ends_leaves_whole_what_it_has_not_come_to(
    tmp_path: Path, deleted: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def slowly(path: Path) -> None:
        begun.set()
        may_go_on.wait(20)

    monkeypatch.setattr("runs.trash._remove", slowly)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await on_runs(app, pilot)
        await screen.run_action("empty_trash")
        await typed(app, pilot, "Empty the trash?", "empty")
        await until(pilot, begun.is_set)
        app.workers.cancel_all()
        may_go_on.set()
        await until(pilot, lambda: all(worker.is_finished for worker in app.workers))
        await asyncio.sleep(0)
    assert {one.path for one in in_trash(tmp_path)} == {deleted["bee"], deleted["cat"]}

"""What the dashboard says where a key does nothing, a question is outrun, work is lost, or an end was forced."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runs import console
from runs.events import DiskNoticed
from runs.folder import About, RunFolder, write_atomically
from runs.reader import RunReader
from runs.status import Outcome, RunStatus
from tests.run_writer import AttemptWriter, new_run
from tests.tui.pilots import shown_text as text_of
from tests.tui.test_browse import listed
from tests.tui.test_monitor import live_run, opened, until
from tui import run_actions
from tui.app import TinyTrainApp
from tui.run_actions import RunChoice, can_move, offers, why_not
from tui.run_words import in_lines, lost_words
from tui.screens.dialogs import ConfirmDialog
from tui.screens.monitor import MonitorScreen
from tui.stop_words import has_no_room, of_pause, of_stop
from tui.widgets.log_view import LogPane


def stopped(folder: RunFolder, writer: AttemptWriter, reason: str, step: int, **more: Any) -> None:
    outcome = Outcome("stopped", reason, step, 1200, ended=time.time(), **more)
    write_atomically(writer.attempt.outcome_file, msgspec.json.encode(outcome))
    writer.close()


def test_a_stop_on_a_full_disk_warns_with_the_last_checkpoint(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    assert (
        "saves a checkpoint" in of_stop("otter", folder, 60).body and not of_stop("otter", folder, 60).loses_work
    )
    assert "It gets 60 s for that; then SIGTERM tells it to end, and 60 s later" in of_stop("o", folder, 60).body
    assert has_no_room(folder) is False
    writer.say(DiskNoticed(step=30, is_full=True, message="the disk is full"))
    for said in (of_stop("otter", folder, 60), of_pause("otter", folder)):
        assert said.loses_work and "NO checkpoint: there is none yet" in said.body
    (folder.checkpoints_dir / "last").write_text("step-00000020\n")
    said = of_stop("otter", folder, 60)
    assert "the last one is of step 20, and every step after it has to be trained again" in said.body
    writer.say(DiskNoticed(step=60, is_full=False, message="there is room again"))
    assert not of_stop("otter", folder, 60).loses_work
    writer.close()
    supervision.close()


async def test_that_dialog_is_one_enter_away_from_nothing(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    writer.say(DiskNoticed(step=30, is_full=True, message="the disk is full"))
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, folder)
        await pilot.press("x")
        await until(
            lambda: "WITHOUT a checkpoint?" in text_of(app) and "Stop anyway" in text_of(app), "the warning"
        )
        assert app.focused is not None and app.focused.id == "no"
    writer.close()
    supervision.close()


async def test_the_panel_says_which_steps_are_lost_and_that_the_end_was_checked(tmp_path: Path) -> None:
    writer = AttemptWriter(folder := new_run(tmp_path))
    writer.start()
    writer.run_to(234)
    stopped(folder, writer, "stopped on request", 234, proof="no process of it is left")
    assert lost_words(RunReader(folder).poll()) == "Steps 201 to 234 have to be trained again."
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await opened(app, folder)
        for words in (
            "R resumes at once from checkpoint step 200",
            "Steps 201 to 234 have to be",
            "checked at its end",
        ):
            await until(lambda: words in text_of(app), words)  # noqa: B023


async def test_a_question_that_the_run_has_outrun_is_withdrawn(tmp_path: Path) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, folder)
        await pilot.press("p")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        writer.end("finished", "all steps done")
        supervision.close()
        await until(lambda: isinstance(app.screen, MonitorScreen), "it is gone")
        await until(lambda: any("nothing was done" in toast.message for toast in app._notifications), "why")


async def test_the_footer_of_a_stopping_run_has_the_key_that_is_left_and_escape_closes_the_log(
    tmp_path: Path,
) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    writer.run_to(60)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        await until(lambda: "tok/s" in text_of(app) and "ETA" in text_of(app), "the pace")
        supervision.state("stopping", deadline=time.time() + 50, message="asked to save and end")
        await until(lambda: "X Kill" in text_of(app) and "x Stop" not in text_of(app), "the key")
        await until(lambda: "ETA" not in text_of(app).split("loss")[0], "no stale figures")
        await pilot.press("x")
        await until(lambda: any("stopping already" in toast.message for toast in app._notifications), "why not")
        await pilot.press("l")
        await until(lambda: screen.query_one(LogPane).display, "the log")
        await pilot.press("escape")
        await until(lambda: not screen.query_one(LogPane).display, "it is closed")
        assert app.screen is screen
    writer.close()
    supervision.close()


async def test_keys_of_a_run_that_is_not_ours_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "it belongs to the user ann"
    monkeypatch.setattr("runs.run_entry.why_read_only", lambda folder: reason)
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.run_to(20)
    stopped(folder, writer, "killed", 20)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(app, 1)
        await until(lambda: screen.choice and screen.choice.read_only, "the row")
        for number, key in enumerate("Rde", start=1):
            await pilot.press(key)
            await until(lambda: sum(reason in toast.message for toast in app._notifications) == number, key)  # noqa: B023
        assert folder.path.exists() and app.screen is screen


async def test_a_killed_run_does_not_look_like_a_clean_stop(tmp_path: Path) -> None:
    writer = AttemptWriter(folder := new_run(tmp_path))
    writer.start()
    writer.run_to(30)
    stopped(folder, writer, "killed; steps 1 to 30 have to be trained again", 30, exit_code=-9)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)):
        await listed(app, 1)
        await until(lambda: text_of(app).count("killed; steps") == 2, "in the row and below the table")
        await until(lambda: "R Relaunch" in text_of(app), "the way on")


def test_moves_in_the_queue_are_offered_where_they_change_something(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = RunChoice(folder, About("otter"), RunStatus("queued"), place=1)
    last = RunChoice(folder, About("otter"), RunStatus("queued"), place=3, is_last=True)
    assert (can_move(first, "up"), can_move(first, "down")) == (False, True)
    assert (can_move(last, "up"), can_move(last, "last")) == (True, False)
    assert why_not(first, "queue_move") == "otter is the next already."
    running = RunChoice(folder, About("otter"), RunStatus("running"))
    for action in run_actions._OFFERED:
        assert bool(why_not(running, action)) != offers(running, action)


def test_what_is_cut_has_a_sign() -> None:
    assert in_lines("make room on the disk of the run", 20, 1) == "make room on the …"
    assert in_lines("make room", 20, 2) == "make room"


def test_the_engines_events_are_told_from_what_was_printed() -> None:
    lines = ('12:04:31 step 100 {"kind": "evaluated", "loss": 1}', "step 100 loss 1.0", "rank 1: boom")
    assert console.without_events((*lines, f"rank 1: {lines[0]}")) == lines[1:]


@pytest.mark.parametrize("state", ["stopped", "finished", "stopping", "running"])
async def test_every_footer_fits_into_eighty_columns(tmp_path: Path, state: str) -> None:
    folder, supervision, writer = live_run(tmp_path)
    writer.start()
    if state in ("stopped", "finished"):
        writer.end(state, "over")
        supervision.close()
    else:
        supervision.state(state)  # type: ignore[arg-type]
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await opened(app, folder)
        await until(lambda: "q Quit" in text_of(app), "the whole line")
        await listed(app, 1)
        key = {"stopped": "R Relaunch", "finished": "r Resume", "stopping": "X Kill", "running": "x Stop"}[state]
        await until(lambda: key in text_of(app) and "q Quit" in text_of(app), "the way on, and the whole line")
    if state in ("stopping", "running"):
        writer.close()
        supervision.close()

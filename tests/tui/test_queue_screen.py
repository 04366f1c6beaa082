"""Runs that wait for devices: where they stand on every screen, how they move, that they begin by themselves."""

from __future__ import annotations

import time
from pathlib import Path

import fake_engine
import pytest
from textual.widgets import Button

from runs import control
from runs.devices import DeviceAnswer
from runs.folder import RunFolder, all_runs
from runs.processes import this_host
from runs.queue import in_order, waiting
from runs.queue_entry import QueueEntry, leave, owner_of, read_entry, write_entry
from runs.status import read_status
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_text as text_of
from tests.tui.test_browse import listed
from tests.tui.test_monitor import opened, until
from tui.app import TinyTrainApp
from tui.run_words import ordinal, place_words
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog
from tui.screens.launch import LaunchScreen
from tui.screens.monitor import MonitorScreen

BUSY = "both GPUs are used by warm-otter"


class Queue:
    """Runs that wait, each with the lock that its supervisor would hold; no process is there."""

    def __init__(self, runs: Path, *names: str) -> None:
        self.folders = {name: new_run(runs, name) for name in names}
        self.supervisions = {name: Supervision(folder, attempt=0) for name, folder in self.folders.items()}
        for order, (name, folder) in enumerate(self.folders.items()):
            entry = QueueEntry(float(order + 1), time.time(), this_host(), owner=owner_of(folder))
            write_entry(folder, entry)
            self.supervisions[name].state("queued", message="waits for 2 GPUs; both are used by warm-otter")

    def names(self, runs: Path) -> list[str]:
        return [folder.about().name for folder, _ in in_order(runs)]

    def close(self) -> None:
        for supervision in self.supervisions.values():
            supervision.close()


@pytest.fixture
def never_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.devices.free_now", lambda config, runs: DeviceAnswer(False, BUSY))


def keys_of(app: TinyTrainApp) -> str:
    """The line of keys, whatever room is between them."""
    return " ".join(text_of(app).splitlines()[-1].split())


def shown_names(app: TinyTrainApp, names: list[str]) -> list[str]:
    """Those of the names that stand on the screen, from top to bottom."""
    text = text_of(app)
    return sorted((name for name in names if name in text), key=text.index)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_queued_runs_stand_first_in_their_order_with_what_they_wait_for(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    queue = Queue(tmp_path, "first-fox", "second-seal")
    finished_run(tmp_path, "newest-newt", steps=100)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        screen = await listed(app, 3)
        names = ["first-fox", "second-seal", "newest-newt"]
        await until(lambda: shown_names(app, names) == names, "the queue above the newest run")
        await until(lambda: "1st in queue" in text_of(app) and "2 queued" in text_of(app), "places")
        await until(lambda: "waits for 2 GPUs; both are used by warm-otter" in text_of(app), "the reason")
        await pilot.press("o", *"name", "enter")
        await until(lambda: shown_names(app, names) == names, "the queue stays first in every order")
        screen.query_one("#filter").value = "state:queued"  # type: ignore[attr-defined]
        await until(lambda: len(screen.shown) == 2, "the filter knows the state")
    queue.close()


async def test_a_queued_run_is_moved_and_the_cursor_goes_with_it(tmp_path: Path) -> None:
    queue = Queue(tmp_path, "first-fox", "second-seal", "third-toad")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(app, 3)
        await until(lambda: screen._places, "places")
        await pilot.press("up", "up", "up", "J")
        await until(lambda: queue.names(tmp_path) == ["second-seal", "first-fox", "third-toad"], "down")
        await until(lambda: screen.shown[0].name == "second-seal", "the table")
        assert screen.selected is not None and screen.selected.name == "first-fox"
        await pilot.press("K")
        await until(lambda: queue.names(tmp_path)[0] == "first-fox", "up")
        await until(lambda: "J Down" in text_of(app) and "K Up" not in text_of(app), "the first has one way to go")
        await pilot.press("down")
        await until(lambda: "J Down K Up" in keys_of(app) and "q Quit" in keys_of(app), "a footer that fits")
        await pilot.press("up")
        screen.action_queue_move("last")
        await until(lambda: queue.names(tmp_path)[-1] == "first-fox", "to the back")
        await until(lambda: screen.check_action("queue_move", ("up",)), "it can come forward again")
        assert not screen.check_action("pause", ())
    queue.close()


async def test_x_takes_a_run_out_of_the_queue_and_leaves_no_request_behind(tmp_path: Path) -> None:
    queue = Queue(tmp_path, "first-fox", "second-seal")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await listed(app, 2)
        await until(lambda: screen._places, "places")
        await pilot.press("up", "up", "x")
        await until(lambda: isinstance(app.screen, ConfirmDialog) and "out of the queue" in text_of(app), "asked")
        await pilot.press("escape")
        assert queue.names(tmp_path) == ["first-fox", "second-seal"]
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "asked again")
        await pilot.press("y")
        await until(lambda: queue.names(tmp_path) == ["second-seal"], "it is out")
        assert control.pending(queue.folders["first-fox"]) == ()
    queue.close()


async def test_monitor_says_the_place_and_turns_live_by_itself(tmp_path: Path) -> None:
    queue = Queue(tmp_path, "first-fox", "second-seal")
    folder, supervision = queue.folders["second-seal"], queue.supervisions["second-seal"]
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, folder)
        await until(lambda: "Waiting in the queue" in text_of(app) and "2nd in the queue" in text_of(app), "it")
        await pilot.press("K")
        await until(lambda: "next in the queue; waits for 2 GPUs" in text_of(app), "its new place and reason")
        assert not screen.check_action("ask", ("evaluate",)) and screen.check_action("stop", ())
        leave(folder)
        supervision.attempt = 1
        supervision.state("running")
        writer = AttemptWriter(folder, clock=time.time())
        writer.start()
        writer.run_to(30)
        await until(lambda: "● running" in text_of(app) and "30/1,200" in text_of(app), "its first steps")
        await until(lambda: "Waiting in the queue" not in text_of(app), "the card is gone")
        writer.close()
    queue.close()


@pytest.mark.parametrize(("answer", "done"), [("queue", ["enqueue"]), ("now", ["start"]), ("cancel", [])])
async def test_a_launch_on_busy_devices_asks_whether_to_wait(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, never_free: None, answer: str, done: list[str]
) -> None:
    called: list[str] = []
    monkeypatch.setattr("runs.queue.enqueue", lambda folder, resume="": called.append("enqueue"))
    monkeypatch.setattr("runs.launch.start", lambda folder, resume="": called.append("start"))
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan, "the plan")
        await pilot.press("ctrl+l")
        await until(lambda: isinstance(app.screen, ChoiceDialog), "the question")
        await until(lambda: "Both GPUs are used by warm-otter." in text_of(app), "who has them")
        assert all_runs(runs_path) == ()
        app.screen.query_one(f"#{answer}", Button).press()
        await until(lambda: not isinstance(app.screen, ChoiceDialog) and called == done, "what was chosen")
        assert len(all_runs(runs_path)) == len(done)


async def test_a_run_is_queued_on_purpose_without_a_question_about_devices(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    queued: list[RunFolder] = []
    monkeypatch.setattr("runs.devices.free_now", lambda config, runs: asked.append("devices"))
    monkeypatch.setattr("runs.queue.enqueue", lambda folder, resume="": queued.append(folder))
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan, "the plan")
        await pilot.press("ctrl+g")
        await until(lambda: isinstance(app.screen, MonitorScreen), "Monitor")
        assert list(all_runs(runs_path)) == queued and not asked


async def test_relaunch_on_busy_devices_asks_too_and_goes_on_from_the_last_checkpoint(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, never_free: None
) -> None:
    folder = finished_run(runs_path, steps=200)
    outcome = folder.attempt(1).outcome_file
    outcome.write_text(outcome.read_text().replace('"finished"', '"stopped"'))
    (folder.checkpoints_dir / "last").write_text("step-00000200\n")
    queued: list[str] = []
    monkeypatch.setattr("runs.queue.enqueue", lambda folder, resume="": queued.append(resume))
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, folder)
        await pilot.press("R")
        await until(lambda: isinstance(app.screen, ChoiceDialog) and BUSY[1:] in text_of(app), "the question")
        await pilot.press("enter")  # queueing is what it proposes
        await until(lambda: queued == ["last"], "the queue")


async def test_the_dashboard_revives_a_waiting_run_which_then_begins_by_itself(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor was killed, or the machine was started anew: only its place in the queue is left."""
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))
    monkeypatch.setenv("FAKE_STEPS", "60")
    folder = new_run(runs_path, "lone-lynx")
    write_entry(folder, QueueEntry(1.0, time.time(), this_host(), owner=owner_of(folder)))
    assert [one.place for one in waiting(runs_path)] == [1]
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)):
        await opened(app, folder)
        await until(lambda: "✓ finished" in text_of(app), "it ran to its end", timeout=30)
    assert read_entry(folder) is None and read_status(folder).state == "finished"


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd"), (112, "112th")],
)
def test_places_have_their_endings(number: int, words: str) -> None:
    assert ordinal(number) == words


def test_a_place_is_said_once() -> None:
    assert place_words(2, "second in the queue") == "2nd in the queue"
    assert place_words(1, "third in the queue") == "next in the queue"  # it has just been moved
    assert place_words(1, "waits for a GPU") == "next in the queue; waits for a GPU"
    assert place_words(0, "") == "waits for its turn"

"""The dashboard's frame: keys everywhere, help, palette, leaving, and a terminal that stays whole."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from tests.conftest import wait_until
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.commands import Command, bindings_of
from tui.farewell import farewell
from tui.palette import CommandsProvider
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog, TextDialog, TypedConfirmDialog
from tui.screens.help import HelpScreen
from tui.screens.launch import LaunchScreen
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import LineInput

ROOT = Path(__file__).resolve().parents[2]


class FakeMonitor(Screen[None]):
    """Stands where Monitor stands, without its feeds."""

    COMMANDS_DONE: ClassVar[list[str]] = []
    SCREEN_COMMANDS = (Command("stop", "x", "Stop", "Stop the run with a checkpoint.", "stop"),)
    BINDINGS: ClassVar[list[Any]] = bindings_of(SCREEN_COMMANDS)
    HELP_TITLE = "Monitor"
    HELP = "Watches a run."

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder

    def compose(self) -> ComposeResult:
        yield Static("monitor")
        yield KeyFooter()

    def action_stop(self) -> None:
        self.COMMANDS_DONE.append("stop")


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> type[FakeMonitor]:
    import tui.screens.monitor

    FakeMonitor.COMMANDS_DONE.clear()
    monkeypatch.setattr(tui.screens.monitor, "MonitorScreen", FakeMonitor)
    return FakeMonitor


def shown_folder(app: App[Any]) -> RunFolder | None:
    return app.screen.folder if isinstance(app.screen, FakeMonitor) else None


async def test_with_no_live_run_it_opens_where_a_run_is_made(tmp_path: Path) -> None:
    create_run(tmp_path / "runs", RunConfig())
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_with_a_live_run_it_opens_on_the_newest_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: type[FakeMonitor]
) -> None:
    runs = tmp_path / "runs"
    older, newer = create_run(runs, RunConfig()), create_run(runs, RunConfig())
    monkeypatch.setattr(TinyTrainApp, "live_runs", lambda *_: (newer, older))
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: shown_folder(app) == newer)


async def test_the_run_opened_last_is_what_monitor_shows_and_its_screen_is_kept(
    tmp_path: Path, monitor: type[FakeMonitor]
) -> None:
    runs = tmp_path / "runs"
    first, second = create_run(runs, RunConfig()), create_run(runs, RunConfig())
    app = TinyTrainApp(runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await app.open_run(first)
        screen = app.screen
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("2")
        await until(pilot, lambda: app.screen is screen)
        await app.open_run(second)
        await until(pilot, lambda: shown_folder(app) == second)
        assert not screen.is_running  # of a run that is no longer shown nothing is left running
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_monitor_without_any_run_says_what_to_do(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("2")
        await until(pilot, lambda: [note.message for note in app._notifications])
        assert [note.message for note in app._notifications] == ["No runs yet. Press n to start one."]


async def test_help_speaks_of_the_screen_it_stands_on(tmp_path: Path, monitor: type[FakeMonitor]) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        text = str(app.screen.query_one(Static).render())
        assert "Move through the presets" in text and "^l" in text and "runs go on without it" in text
        await pilot.press("escape")
        await app.open_run(create_run(tmp_path / "runs", RunConfig()))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        text = str(app.screen.query_one(Static).render())
        assert "Watches a run." in text and "Stop the run with a checkpoint." in text


async def test_the_palette_holds_the_commands_of_the_screen_and_of_the_app(
    tmp_path: Path, monitor: type[FakeMonitor]
) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await app.open_run(create_run(tmp_path / "runs", RunConfig()))
        provider = CommandsProvider(app.screen)
        found = {str(hit.display): hit async for hit in provider.discover()}
        assert {"Stop (x)", "Launch (1)", "Quit (q)"} <= set(found)
        hits = [hit async for hit in provider.search("stop")]
        assert hits
        await found["Stop (x)"].command()
        assert monitor.COMMANDS_DONE == ["stop"]


async def test_no_key_suspends_the_program_and_no_two_keys_clash(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        bound = app.screen.active_bindings
        assert all(one.binding.action != "suspend_process" for one in bound.values())
        assert not any("suspend" in active.binding.action for active in bound.values())
        own = [key for command in LaunchScreen.SCREEN_COMMANDS for key in command.key.split(",") if key]
        everywhere = [key for command in TinyTrainApp.APP_COMMANDS for key in command.key.split(",") if key]
        assert len({*own, *everywhere}) == len(own) + len(everywhere)


async def test_a_screen_at_rest_asks_for_no_animation(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert app.animation_level == "none"


async def test_moving_the_focus_leaves_no_dead_keys_behind(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        footer = app.screen.query_one(KeyFooter)
        await pilot.press(*["tab"] * 5)
        await pilot.pause()
        num_widgets = len(app._registry)
        num_watching = sum(len(pairs) for pairs in getattr(app, "__watchers", {}).values())
        await pilot.press(*["tab"] * 30)
        await pilot.pause()
        assert len(app._registry) <= num_widgets + 2
        assert sum(len(pairs) for pairs in getattr(app, "__watchers", {}).values()) <= num_watching
        assert not footer.children


def test_leaving_says_which_runs_go_on(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    one = create_run(runs, RunConfig(), name="warm-otter")
    assert farewell((one,)) == (
        "1 run goes on: warm-otter. tinytrain-tui shows it again; tinytrain-tui stop warm-otter stops it."
    )
    hostile = create_run(runs, RunConfig(), name="x; rm -rf ~ \x1b[2J")
    text = farewell((one, hostile))
    assert text.startswith(f"2 runs go on: warm-otter, {hostile.id}.")
    assert "\x1b" not in text and "rm -rf" not in text
    assert farewell((one,) * 40).startswith(f"40 runs go on: {', '.join(['warm-otter'] * 5)} and 35 more. ")


async def test_quitting_with_a_live_run_leaves_the_message_for_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: type[FakeMonitor]
) -> None:
    run = create_run(tmp_path / "runs", RunConfig(), name="warm-otter")
    monkeypatch.setattr(TinyTrainApp, "live_runs", lambda *_: (run,))
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test() as pilot:
        await until(pilot, lambda: shown_folder(app) == run)
        await app.action_quit()
        assert "1 run goes on: warm-otter" in str(app._exit_renderables[0])


class DialogApp(App[None]):
    """Shows one dialog and keeps its answer."""

    def __init__(self, dialog: Screen[Any]) -> None:
        super().__init__()
        self.dialog = dialog
        self.answers: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.answers.append)


HOSTILE = "[/] [@click=app.quit]x[/] \x1b]52;c;eA==\x07"


@pytest.mark.parametrize(
    ("dialog", "keys", "answer"),
    [
        (lambda: ConfirmDialog(HOSTILE, HOSTILE), ["enter"], True),
        (lambda: ConfirmDialog(HOSTILE, HOSTILE), ["escape"], False),
        (lambda: ConfirmDialog(HOSTILE, HOSTILE, HOSTILE, danger=True), ["enter"], False),
        (lambda: ConfirmDialog(HOSTILE, HOSTILE, danger=True), ["tab", "enter"], True),
        (lambda: ConfirmDialog("a", "b", danger=True), ["y"], True),
        (lambda: TypedConfirmDialog(HOSTILE, HOSTILE, "otter"), [*"otter", "enter"], True),
        (lambda: TypedConfirmDialog(HOSTILE, HOSTILE, HOSTILE), ["escape"], False),
        (lambda: TextDialog(HOSTILE, HOSTILE, "old"), [*"new", "enter"], "new"),
        (lambda: TextDialog("a", "b", HOSTILE), ["escape"], None),
        (lambda: ChoiceDialog(HOSTILE, HOSTILE, (("a", "A"), ("b", HOSTILE))), ["down", "enter"], "b"),
        (lambda: ChoiceDialog("a", "b", (("a", "A"),)), ["escape"], None),
    ],
)
async def test_a_dialog_gives_the_answer_that_was_keyed(dialog: Any, keys: list[str], answer: Any) -> None:
    app = DialogApp(dialog())
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen is app.dialog and app.focused is not None)
        shown = shown_text(app)
        assert "\x1b" not in shown and "\x07" not in shown
        await pilot.press(*keys)
        await until(pilot, lambda: app.answers)
        assert app.answers == [answer]


async def test_the_wrong_word_kills_nothing() -> None:
    app = DialogApp(TypedConfirmDialog("Kill", "really?", "warm-otter"))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen is app.dialog)
        await pilot.press(*"warm", "enter")
        await pilot.pause()
        assert app.answers == []
        assert "that is not warm-otter" in str(app.screen.query_one(".hint", Static).render())
        assert app.screen.query_one(LineInput).value == "warm"


class Dashboard:
    """The real program on a terminal of its own."""

    def __init__(self, tmp_path: Path, nohup: bool = False) -> None:
        self.master, slave = pty.openpty()
        code = (
            "import signal\n"
            + ("signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" if nohup else "")
            + "from pathlib import Path\nfrom tui.app import TinyTrainApp\n"
            + f"app = TinyTrainApp(Path({str(tmp_path / 'runs')!r}))\napp.run()\nraise SystemExit(app.return_code)"
        )
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.output = b""

    def read(self, wait_s: float = 0.05) -> bytes:
        """Everything the program has written so far."""
        while select.select([self.master], [], [], wait_s)[0]:
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                break
            if not chunk:
                break
            self.output += chunk
        return self.output

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    dashboard = Dashboard(tmp_path)
    try:
        wait_until(lambda: b"ready to launch" in dashboard.read(), what="the first screen")
        assert b"\x1b[?1049h" in dashboard.output
        dashboard.process.send_signal(number)
        wait_until(lambda: (dashboard.read(), dashboard.process.poll() is not None)[1], what="its end")
        dashboard.read()
        assert dashboard.output.rindex(b"\x1b[?1049l") > dashboard.output.rindex(b"\x1b[?1049h")
        assert b"\x1b[?1000l" in dashboard.output  # the mouse is given back too
        assert dashboard.process.returncode == 128 + number
    finally:
        dashboard.close()
        os.close(dashboard.master)


@pytest.mark.parametrize("nohup", [False, True])
def test_a_terminal_that_vanishes_ends_it_also_under_nohup(tmp_path: Path, nohup: bool) -> None:
    dashboard = Dashboard(tmp_path, nohup=nohup)
    try:
        wait_until(lambda: b"ready to launch" in dashboard.read(), what="the first screen")
        os.close(dashboard.master)
        start = time.monotonic()
        dashboard.process.wait(timeout=8)
        assert time.monotonic() - start < 6
    finally:
        dashboard.close()


def test_an_idle_screen_sends_no_bytes(tmp_path: Path) -> None:
    dashboard = Dashboard(tmp_path)
    try:
        wait_until(lambda: b"ready to launch" in dashboard.read(), what="the first screen")
        wait_until(lambda: b"looking for GPUs" not in dashboard.output or _quiet(dashboard), what="a quiet screen")
        settled = len(dashboard.read(wait_s=1.0))
        assert len(dashboard.read(wait_s=2.0)) == settled
    finally:
        dashboard.close()
        os.close(dashboard.master)


def _quiet(dashboard: Dashboard) -> bool:
    before = len(dashboard.read())
    return len(dashboard.read(wait_s=1.5)) == before

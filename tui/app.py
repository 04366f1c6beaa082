"""The dashboard: which screen is shown, the keys that mean the same everywhere, and how it ends.

It holds no state that matters: kill it at any time, open it again, and it shows the same.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual._context import active_message_pump
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.command import Provider
from textual.screen import Screen

from runs.folder import RunFolder, all_runs
from runs.status import read_status
from tui.commands import Command, CommandsProvider, bindings_of
from tui.messages import FeedFailed
from tui.polling_feed import PollingFeed
from tui.safe_text import safe_text
from tui.terminal import exit_on_signals, exit_when_terminal_vanishes, harmless_report
from tui.textual_defects import guard_option_lists, is_of_something_taken_away

_COLLECT_AFTER_S = 2.0
_BOTTOM_SCREENS = 2  # Textual's own empty one, and the one that is shown
_REVIVE_S = 10.0

if TYPE_CHECKING:
    from tui.screens.monitor import MonitorScreen

APP_COMMANDS = (
    Command(
        "launch", "1", "Launch", "Choose a preset, change it, see what it will cost, start it.", "show_launch"
    ),
    Command("monitor", "2", "Monitor", "Watch the run that was opened last, or the newest.", "show_monitor"),
    Command("runs", "3", "Runs", "Every run: filter, open, resume, delete.", "show_runs"),
    Command("data", "6", "Data", "Datasets and token caches: look into them, build, verify, clear.", "show_data"),
    Command("new", "n", "New run", "Go to the presets and start another run.", "show_launch", show=False),
    Command("help", "question_mark", "Help", "What this screen is for, and its keys.", "help", key_display="?"),
    Command("quit", "q", "Quit", "Leave the dashboard; runs go on without it.", "quit"),
)


def _launch_screen() -> Screen[Any]:
    from tui.screens.launch import LaunchScreen

    return LaunchScreen()


def _runs_screen() -> Screen[Any]:
    from tui.screens.browse import RunsScreen

    return RunsScreen()


def _data_screen() -> Screen[Any]:
    from tui.screens.data import DataScreen

    return DataScreen()


class TinyTrainApp(App[None]):
    """`runs` is the folder in which all runs are."""

    TITLE = "tinytrain-tui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(APP_COMMANDS)]
    APP_COMMANDS: ClassVar[tuple[Command, ...]] = APP_COMMANDS
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = App.COMMANDS | {CommandsProvider}
    SCREENS: ClassVar[dict[str, Callable[[], Screen[Any]]]] = {
        "launch": _launch_screen, "runs": _runs_screen, "data": _data_screen,
    }  # fmt: skip
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it without ClassVar
        (0, "-tiny"), (76, "-narrow"), (110, "-normal"), (150, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.runs = runs
        self.animation_level = "none"  # every frame is bytes over SSH
        self._monitor: MonitorScreen | None = None
        self._queue_feed = PollingFeed("queue", self, self._revive_queue, _REVIVE_S)

    def on_mount(self) -> None:
        """Show the newest live run when there is one, else where a run is made."""
        self._queue_feed.start()
        self.set_timer(_COLLECT_AFTER_S, gc.enable)
        exit_on_signals(self)
        guard_option_lists()
        if not self.is_headless:
            exit_when_terminal_vanishes(self)
        live = self.live_runs()
        if live:
            self.push_screen(self._monitor_for(live[0]))
        else:
            self.push_screen("launch")

    def on_unmount(self) -> None:
        """End the thread that looks after the queue."""
        self._queue_feed.stop()

    def _revive_queue(self) -> None:
        """Start the supervisors of waiting runs anew that were killed, or did not outlive a reboot."""
        from runs.queue import revive

        revive(self.runs)

    @on(FeedFailed)
    def _queue_feed_failed(self, message: FeedFailed) -> None:
        self.log.error(message.report)
        words = f"looking after the queue failed; a defect of ours: {message.report.strip().splitlines()[-1]}"
        self.notify(safe_text(words, 500), severity="error", markup=False, timeout=30)

    def pop_screen(self) -> AwaitComplete:
        """Close what lies over the screen, never the screen itself.

        A dialog that is closed twice, as by a double click, takes away whatever is on top then (Textual 8.2).
        """
        is_over_another = len(self.screen_stack) > _BOTTOM_SCREENS
        return super().pop_screen() if is_over_another else AwaitComplete()

    def on_resize(self, event: events.Resize) -> None:
        """Paint everything again when the size is the old one after all: what was cut off between is gone."""
        if event.size == self._size:  # Textual sees that nothing changed, and does nothing
            self.refresh(layout=True)

    def _handle_exception(self, error: Exception) -> None:
        """End with a report, unless all that happened is that something was closed before it was finished."""
        node = active_message_pump.get(None)
        if is_of_something_taken_away(self, error, node):
            self.log.warning(f"{node!r} was closed before {error}")
        else:
            super()._handle_exception(error)

    def _print_error_renderables(self) -> None:
        """The report of a defect holds the text that the program stumbled over."""
        self._exit_renderables = [harmless_report(one) for one in self._exit_renderables]
        super()._print_error_renderables()

    def live_runs(self) -> tuple[RunFolder, ...]:
        """Runs whose processes are at work, newest first, then those that wait for their turn."""
        states = ((folder, read_status(folder)) for folder in all_runs(self.runs))
        live = [(folder, status.state == "queued") for folder, status in states if status.is_live]
        return tuple(folder for folder, _ in sorted(live, key=lambda pair: pair[1]))

    async def open_run(self, folder: RunFolder) -> None:
        """Show Monitor for that run; its screen is kept while it is the one last opened."""
        before = self._monitor
        await self.switch_screen(self._monitor_for(folder))
        if before is not None and before is not self._monitor:
            self.uninstall_screen(before)
            await before.remove()

    def _monitor_for(self, folder: RunFolder) -> MonitorScreen:
        if self._monitor is None or self._monitor.folder != folder:
            from tui.screens.monitor import MonitorScreen

            self._monitor = MonitorScreen(folder)
            self.install_screen(self._monitor, f"monitor {folder.id}")
        return self._monitor

    async def action_show_launch(self) -> None:
        """Go to Launch."""
        await self.switch_screen("launch")

    async def action_show_runs(self) -> None:
        """Go to Runs."""
        await self.switch_screen("runs")

    async def action_show_data(self) -> None:
        """Go to Data."""
        await self.switch_screen("data")

    async def action_show_monitor(self) -> None:
        """Go to the run opened last, else the newest live one, else the newest."""
        opened = self._monitor
        if opened is not None and opened.folder.path.is_dir():
            await self.switch_screen(opened)
            return
        newest = (*self.live_runs()[:1], *all_runs(self.runs)[:1])
        if newest:
            await self.open_run(newest[0])
        else:
            self.notify("No runs yet. Press n to start one.", markup=False)

    def action_help(self) -> None:
        """Lay the keys of this screen over it."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    async def action_quit(self) -> None:
        """Leave at once, and say after the terminal is restored which runs go on."""
        live = self.live_runs()
        self.exit(message=Text(farewell(live)) if live else None)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Of Textual's own palette entries, those that mean something here."""
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Screenshot"):
                yield command


def farewell(live: tuple[RunFolder, ...]) -> str:
    """Which runs go on, how to see them again, how to stop them."""
    names = [_reference(folder) for folder in live]
    if len(names) == 1:
        again = f"tinytrain-tui shows it again; tinytrain-tui stop {names[0]} stops it."
        return f"1 run goes on: {names[0]}. {again}"
    again = "tinytrain-tui shows them again; tinytrain-tui stop RUN stops one."
    return f"{len(names)} runs go on: {', '.join(names)}. {again}"


def _reference(folder: RunFolder) -> str:
    """The run's name where it can be typed into a shell as it is, else its id."""
    name = folder.about().name
    return safe_text(name if re.fullmatch(r"[\w.][\w.-]*", name, re.ASCII) else folder.id)

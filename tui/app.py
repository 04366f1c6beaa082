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
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import Provider
from textual.screen import Screen

from runs.folder import RunFolder, all_runs
from runs.status import read_status
from tui.commands import Command, CommandsProvider, bindings_of
from tui.safe_text import safe_text
from tui.terminal import exit_on_signals, exit_when_terminal_vanishes

_COLLECT_AFTER_S = 2.0

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

    def on_mount(self) -> None:
        """Show the newest live run when there is one, else where a run is made."""
        self.set_timer(_COLLECT_AFTER_S, gc.enable)
        exit_on_signals(self)
        if not self.is_headless:
            exit_when_terminal_vanishes(self)
        live = self.live_runs()
        if live:
            self.push_screen(self._monitor_for(live[0]))
        else:
            self.push_screen("launch")

    def live_runs(self) -> tuple[RunFolder, ...]:
        """Runs whose processes are at work, newest first."""
        return tuple(folder for folder in all_runs(self.runs) if read_status(folder).is_live)

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
    return name if re.fullmatch(r"[\w.][\w.-]*", name, re.ASCII) else safe_text(folder.id)

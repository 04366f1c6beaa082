"""Which screen the dashboard shows: what is opened from where, what was shown last, where a start begins."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.screen import Screen

from runs.folder import RunFolder, all_runs
from runs.safe_files import RUN_ID
from runs.status import read_status
from tui.app_commands import SCREENS
from tui.key_order import KeyOrder
from tui.remembered import Remembered

if TYPE_CHECKING:
    from presets.catalog import Preset
    from tui.screens.monitor import MonitorScreen

_NEWEST = 500  # among thousands of runs, those that may be looked at before the first picture
_WITHOUT_RUNS = ("launch", "data")
BOTTOM_SCREENS = 2
"""Textual's own empty one, and the one that is shown: dialogs and the like lie over them."""


class Navigation(KeyOrder):
    """The part of the dashboard that goes from screen to screen.

    runs: the folder of all runs. place: the name of the screen that is shown, as in `SCREENS`, or `monitor`.
    chosen_theme: the look that a person chose, which a start without colours leaves as it is.
    """

    SCREENS: ClassVar[dict[str, Callable[[], Screen[Any]]]] = SCREENS

    def __init__(self, runs: Path, remembered: Remembered) -> None:
        super().__init__()
        self.runs = runs
        self.remembered = remembered
        self.place = "launch"
        self.chosen_theme = ""
        self._monitor: MonitorScreen | None = None

    def first_screen(self) -> Screen[Any] | str:
        """Where the person was last; a live run goes before a screen that shows none."""
        place = self.remembered.get("app")
        name, live = place.get("screen"), self.live_runs(_NEWEST)
        if isinstance(name, str) and name in SCREENS and (name not in _WITHOUT_RUNS or not live):
            self.place = name
            return name
        last = known_run(self.runs, place.get("run"))
        if name == "monitor" and last is not None and (last in live or not live):
            return self._monitor_for(last)
        return self._monitor_for(live[0]) if live else "launch"

    def note_place(self) -> None:
        """Remember the screen, the run and the look for the next start."""
        run = self._monitor.folder.id if self._monitor is not None else ""
        self.remembered.put("app", {"screen": self.place, "run": run, "theme": self.chosen_theme})

    def forget_place(self) -> None:
        """Begin anew next time, but for the look."""
        self.remembered.put("app", {"theme": self.chosen_theme})

    def live_runs(self, newest: int | None = None) -> tuple[RunFolder, ...]:
        """Runs whose processes are at work, newest first, then those that wait; of all, or of so many newest."""
        states = ((folder, read_status(folder)) for folder in all_runs(self.runs)[:newest])
        live = [(folder, status.state == "queued") for folder, status in states if status.is_live]
        return tuple(folder for folder, _ in sorted(live, key=lambda pair: pair[1]))

    async def open_run(self, folder: RunFolder) -> None:
        """Show Monitor for that run; its screen is kept while it is the one last opened."""
        before = self._monitor
        self._close_what_lies_over()
        await self.switch_screen(self._monitor_for(folder))
        self.note_place()
        if before is not None and before is not self._monitor:
            self.uninstall_screen(before)
            await before.remove()

    def _monitor_for(self, folder: RunFolder) -> MonitorScreen:
        if self._monitor is None or self._monitor.folder != folder:
            from tui.screens.monitor import MonitorScreen

            self._monitor = MonitorScreen(folder)
            self.install_screen(self._monitor, f"monitor {folder.id}")
        self.place = "monitor"
        return self._monitor

    async def open_compare(self, folders: tuple[RunFolder, ...]) -> None:
        """Show Compare for those runs."""
        screen = await self._go("compare")
        await _done(screen.compare(folders))

    async def open_playground(self, folder: RunFolder, checkpoint: str = "") -> None:
        """Show Playground for a checkpoint of that run; without a name the screen chooses one."""
        screen = await self._go("playground")
        await _done(screen.choose(folder, checkpoint))

    async def open_launch(self, preset: Preset) -> None:
        """Show Launch with a draft that begins at this preset, which need not be saved anywhere."""
        screen = await self._go("launch")
        await _done(screen.edit(preset))

    def _close_what_lies_over(self) -> None:
        """End dialogs and the like as esc does: what takes the place of one leaves the screen under it there."""
        while len(self.screen_stack) > BOTTOM_SCREENS:
            over = self.screen
            over.dismiss(None)
            if self.screen is over:
                return

    async def _go(self, name: str) -> Any:
        self._close_what_lies_over()
        await self.switch_screen(name)
        self.place = name
        self.note_place()
        return self.get_screen(name)

    def _chosen_run(self) -> RunFolder | None:
        """The run that the screen one stands on is about, if it is about one."""
        choice = getattr(self.screen, "choice", None)
        return choice.folder if choice is not None else None

    def _has_content(self, name: str, key: str) -> bool:
        """Whether that screen was open before, now or at an earlier start, and so has something to show."""
        return isinstance(self._installed_screens.get(name), Screen) or bool(self.remembered.get(name).get(key))

    async def action_show_compare(self) -> None:
        """Go to Compare: what it showed last, else the run that is in view beside others like it."""
        chosen = self._chosen_run()
        screen = await self._go("compare")
        await _done(screen.begin(chosen))

    async def action_show_playground(self) -> None:
        """Go to Playground: what it showed last, else the run that is in view."""
        chosen = self._chosen_run()
        if chosen is None or self._has_content("playground", "run"):
            await self._go("playground")
        else:
            await self.open_playground(chosen)

    async def action_show_launch(self) -> None:
        """Go to Launch."""
        await self._go("launch")

    async def action_show_runs(self) -> None:
        """Go to Runs."""
        await self._go("runs")

    async def action_show_data(self) -> None:
        """Go to Data."""
        await self._go("data")

    async def action_show_monitor(self) -> None:
        """Go to the run opened last, else the newest live one, else the newest."""
        opened = self._monitor
        if opened is not None and opened.folder.path.is_dir():
            await self.open_run(opened.folder)
            return
        newest = (*self.live_runs()[:1], *all_runs(self.runs)[:1])
        if newest:
            await self.open_run(newest[0])
        else:
            self.notify("No runs yet. Press n to start one.", markup=False)


def known_run(runs: Path, id: object) -> RunFolder | None:
    """The run of that id, if it is one and still there."""
    if not isinstance(id, str) or not RUN_ID.fullmatch(id):
        return None
    folder = RunFolder(runs / id)
    return folder if folder.path.is_dir() else None


async def _done(result: Any) -> None:
    """Wait for what a screen does, where it is something that takes its time."""
    if inspect.isawaitable(result):
        await result

"""The configurations that were launched last, to begin at again; runs are read in a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path, PurePath
from typing import ClassVar

from rich.cells import set_cell_size
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from presets.catalog import Preset
from presets.config import diff
from presets.fields import format_value
from runs.clock import local_time
from runs.recent import RecentConfig, recent_configs
from tui.safe_text import FAINT, MUTED, plain, safe_text

_NAME, _PRESET = 18, 14  # cells of the columns
_DETAIL_ROWS = 3
_UNCHANGED = "as the preset"


class RecentDialog(ModalScreen[Preset | None]):
    """Dismissed with a preset that is a copy of the chosen run's configuration; None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "recent_configs.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, runs: Path, presets: tuple[Preset, ...]) -> None:
        """presets: those that a run's preset may be; what a run changed is said beside it."""
        super().__init__()
        self._runs = runs
        self._presets = {preset.name: preset for preset in presets}
        self._found: tuple[RecentConfig, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Launched before"
            yield OptionList(id="recent", markup=False)
            yield Static("", id="detail")
            yield Static("enter begins at it, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        self._say("… reading the runs")
        self._read()

    @work(exclusive=True)
    async def _read(self) -> None:
        self._found = await asyncio.to_thread(recent_configs, self._runs)
        for options in self.query("#recent").results(OptionList):  # none, when it was closed meanwhile
            options.add_options([Option(self._line(one), id=str(at)) for at, one in enumerate(self._found)])
            options.focus()
            options.highlighted = 0 if self._found else None
        if not self._found:
            self._say("No runs yet. Choose a preset and press ctrl+l to launch one.")

    def _line(self, one: RecentConfig) -> Content:
        name = set_cell_size(safe_text(one.about.name, _NAME), _NAME)
        preset = set_cell_size(safe_text(one.about.preset, _PRESET), _PRESET)
        loss = "" if one.best_loss is None else f"{one.best_loss:.3f}"
        return Content.assemble(
            (local_time(one.about.created, "%d %b %H:%M"), MUTED),
            f"  {safe_text(name)}  ",
            (safe_text(preset), MUTED),
            f"  {loss:>7}  ",
            (safe_text(self._changes(one), 200), FAINT),
        )

    def _changes(self, one: RecentConfig) -> str:
        """What it sets otherwise than the preset it was made from; as that is now."""
        preset = self._presets.get(one.about.preset)
        if preset is None:
            return ""
        changes = diff(preset.config, one.config)
        told = [f"{c.path.partition('.')[2]} {format_value(c.after)}" for c in changes if c.path != "probes.texts"]
        return ", ".join(told) if told else _UNCHANGED

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        one = self._found[int(event.option_id or 0)]
        runs = "1 run" if one.num_runs == 1 else f"{one.num_runs} runs"
        best = "" if one.best_loss is None else f"; best validation loss {one.best_loss:.4f}"
        changes = self._changes(one)
        changed = f" Its preset was changed in {changes}." if changes not in ("", _UNCHANGED) else ""
        if one.about.sweep:
            self._say(f"The best of {runs} of the sweep {one.about.sweep}: {one.about.name}{best}.{changed}")
        else:
            self._say(f"{runs} of this configuration, the last {one.about.name}{best}.{changed}")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(copy_of(self._found[int(event.option_id or 0)]))

    def action_cancel(self) -> None:
        """Close without choosing."""
        self.dismiss(None)

    def action_move(self, by: int) -> None:
        """Move the cursor as the arrow keys do."""
        for options in self.query("#recent").results(OptionList):
            options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def _say(self, sentence: str) -> None:
        for shown in self.query("#detail").results(Static):
            room = max(shown.size.width, 40) * _DETAIL_ROWS - 20  # words do not fill their lines
            shown.update(plain(sentence, room, MUTED))


def copy_of(one: RecentConfig) -> Preset:
    """A preset that begins where the run did, saved nowhere."""
    when = local_time(one.about.created, "%d %b %H:%M")
    of = f" of the preset {one.about.preset}" if one.about.preset else ""
    name = f"copy of {one.about.name}"
    summary = f"As the run {one.about.name} was launched at {when}{of}."
    return Preset(name=name, title=name, summary=summary, config=one.config, shipped=False)

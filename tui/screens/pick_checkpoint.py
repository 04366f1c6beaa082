"""Which checkpoint: the runs that have saved some on the left, those of the run under the cursor on the right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runs.checkpoint_listing import SavedCheckpoint
from runs.folder import RunFolder
from tui.figures import num_bytes
from tui.playground_feed import CheckpointsSeen, RunsSeen, see_checkpoints, see_runs
from tui.safe_text import plain, safe_text
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there

_ALONE = "-"
_EMPTY = ("No run has saved a checkpoint yet.", "Press esc, then n, to start one.")
_NO_MATCH = ("No run is called that.", "esc clears the filter.")


@dataclass(frozen=True)
class Picked:
    """A checkpoint of a run; folder None: none is wanted."""

    folder: RunFolder | None
    name: str = ""
    checkpoint: str = "last"


class PickCheckpoint(ModalScreen[Picked | None]):
    """Dismissed with what was picked, or with None on esc. may_be_none: offer to have no checkpoint at all."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_checkpoint.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("right", "to_checkpoints", show=False),
        Binding("left", "to_runs", show=False),
        Binding("slash", "to_filter", show=False),
    ]

    def __init__(self, title: str, runs: Path, now: RunFolder | None, *, may_be_none: bool = False) -> None:
        super().__init__()
        self._title = title
        self._runs = runs
        self._now = now
        self._may_be_none = may_be_none
        self._found: tuple[tuple[RunFolder, str], ...] = ()
        self._shown: list[tuple[RunFolder, str]] = []
        self._checkpoints: dict[RunFolder, tuple[SavedCheckpoint, ...]] = {}
        # held, not asked for: answers come while the app takes the screen apart
        self._filter = LineInput(placeholder="/ words of a run's name or id", id="filter")
        self._list = OptionList(id="runs", markup=False)
        self._saved = OptionList(id="saved", markup=False)
        self._hint = Static("looking at the runs …", classes="hint foot")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(self._title, 60)
            yield self._filter
            with Horizontal(id="lists"):
                yield self._list
                yield self._saved
            yield self._hint

    def on_mount(self) -> None:
        """Look at the runs."""
        self._list.border_title = "runs, newest first"
        self._saved.border_title = "checkpoints"
        self._list.focus()
        see_runs(self._runs, self)

    @on(RunsSeen)
    def _take_runs(self, message: RunsSeen) -> None:
        self._found = message.runs
        if self.is_attached:
            words = "enter takes it, → its checkpoints, / filters, esc cancels" if self._found else "esc goes back"
            self._hint.update(words)
            self._saved.display = bool(self._found)
            self._list_runs()

    @on(CheckpointsSeen)
    def _take_checkpoints(self, message: CheckpointsSeen) -> None:
        self._checkpoints[message.folder] = message.checkpoints
        if self.is_attached and message.folder == self._here:
            self._list_checkpoints()

    @on(LineInput.Changed)
    def _typed(self) -> None:
        if self.is_attached:
            self._list_runs()

    @on(LineInput.Submitted)
    def _entered(self) -> None:
        self._list.focus()

    @property
    def _here(self) -> RunFolder | None:
        """The run under the cursor."""
        at = self._list.highlighted
        at = None if at is None else at - (1 if self._may_be_none else 0)
        return self._shown[at][0] if at is not None and 0 <= at < len(self._shown) else None

    def _list_runs(self) -> None:
        words = self._filter.value.lower().split()
        self._shown = [
            (folder, name)
            for folder, name in self._found
            if all(word in f"{name} {folder.id}".lower() for word in words)
        ]
        options = [Option("none: one checkpoint alone", id=_ALONE)] if self._may_be_none else []
        options += [
            Option(plain(f"{safe_text(name, 16):<16} {safe_text(folder.id, 33)}")) for folder, name in self._shown
        ]
        self._list.clear_options()
        self._list.add_options(options)
        if not self._shown:
            self._list.add_option(nothing_there(*(_NO_MATCH if self._found else _EMPTY)))
        places = [folder for folder, _ in self._shown]
        at = places.index(self._now) if self._now in places else 0
        if options:
            self._list.highlighted = min(at + (1 if self._may_be_none else 0), len(options) - 1)

    @on(OptionList.OptionHighlighted, "#runs")
    def _moved(self) -> None:
        if not self.is_attached:
            return
        here = self._here
        if here is not None and here not in self._checkpoints:
            see_checkpoints(here, self)
        self._list_checkpoints()

    def _list_checkpoints(self) -> None:
        saved = self._checkpoints.get(self._here, ()) if self._here is not None else ()
        last, best = (next((one for one in saved if mark(one)), None) for mark in (_is_last, _is_best))
        options = []
        for pointer, one in (("last", last), ("best", best)):
            if one is not None:
                options.append(Option(f"{pointer:<10} {_loss(one)}  now @{one.step:,}", id=pointer))
        options += [
            Option(f"@{one.step:<9,} {_loss(one)}  {num_bytes(one.num_bytes):>7}", id=one.name)
            for one in reversed(saved)
        ]
        self._saved.clear_options()
        self._saved.add_options(options)
        if options:
            self._saved.highlighted = 0
        elif self._here in self._checkpoints:
            self._saved.add_option(nothing_there("none is left"))

    @on(OptionList.OptionSelected, "#runs")
    def _took_run(self, event: OptionList.OptionSelected) -> None:
        if event.option.id == _ALONE:
            self.dismiss(Picked(None))
        elif self._here is not None:
            self._took("last" if any(map(_is_last, self._checkpoints.get(self._here, ()))) else "")

    @on(OptionList.OptionSelected, "#saved")
    def _took_checkpoint(self, event: OptionList.OptionSelected) -> None:
        self._took(event.option.id or "last")

    def _took(self, checkpoint: str) -> None:
        here = self._here
        if here is None:
            return
        if not checkpoint:  # its pointers are gone: the newest of what there is
            saved = self._checkpoints.get(here, ())
            checkpoint = saved[-1].name if saved else "last"
        name = next((name for folder, name in self._shown if folder == here), here.id)
        self.dismiss(Picked(here, name, checkpoint))

    def action_to_checkpoints(self) -> None:
        """Choose among the run's checkpoints."""
        self._saved.focus()

    def action_to_runs(self) -> None:
        """Back to the runs."""
        self._list.focus()

    def action_to_filter(self) -> None:
        """Type words of a run's name."""
        self._filter.focus()

    def action_back(self) -> None:
        """From the checkpoints and the filter to the runs, then away."""
        if self._list.has_focus or not self._found:
            self.dismiss(None)
        elif self._filter.has_focus and self._filter.value:
            self._filter.value = ""
        else:
            self._list.focus()


def _is_last(checkpoint: SavedCheckpoint) -> bool:
    return checkpoint.is_last


def _is_best(checkpoint: SavedCheckpoint) -> bool:
    return checkpoint.is_best


def _loss(checkpoint: SavedCheckpoint) -> str:
    return f"loss {checkpoint.loss:7.4f}" if checkpoint.loss is not None else "loss       -"

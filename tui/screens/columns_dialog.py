"""Chooses the columns of the list of runs, and their order."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.screens.pick_dialog import Choice
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there


class ColumnsDialog(ModalScreen[tuple[str, ...] | None]):
    """Dismissed with the chosen columns in their order, with none for the usual ones, or with None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("space", "turn", show=False),
        Binding("J", "shift(1)", show=False),
        Binding("K", "shift(-1)", show=False),
        Binding("slash", "narrow", show=False),
        Binding("ctrl+r", "usual", show=False, priority=True),
    ]

    def __init__(self, choices: tuple[Choice, ...], chosen: tuple[str, ...]) -> None:
        """choices: every column there is. chosen: those that are shown now, in order."""
        super().__init__()
        self._choices = {choice.id: choice for choice in choices}
        self._chosen = [key for key in chosen if key in self._choices]
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Columns"
            yield LineInput(placeholder="/ narrows the list: lr, accuracy, batch …", id="narrow", max_length=100)
            yield OptionList(id="choices")
            yield Static("space in/out, J K move, enter takes it, ^r the usual, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        """The chosen ones stand first."""
        if not self.query(OptionList):
            return  # a key closed it before it was composed
        self._fill()
        self.query_one(OptionList).highlighted = 0
        self.query("#choices").focus()

    def action_cancel(self) -> None:
        """Leave the line that narrows, else change nothing."""
        field = self.query_one("#narrow", LineInput)
        if field.has_focus:
            field.value = ""
            self.query_one(OptionList).focus()
        else:
            self.dismiss(None)

    def action_usual(self) -> None:
        """Let the width of the screen decide again."""
        self.dismiss(())

    def action_narrow(self) -> None:
        """Type a part of a name."""
        self.query("#narrow").focus()

    def action_turn(self) -> None:
        """Take the column in or out."""
        key = self._here()
        if key in self._chosen:
            self._chosen.remove(key)
        elif key:
            self._chosen.append(key)
        self._fill(key)

    def action_shift(self, by: int) -> None:
        """Move a chosen column."""
        key = self._here()
        if key in self._chosen:
            at = self._chosen.index(key)
            self._chosen.insert(max(0, at + by), self._chosen.pop(at))
            self._fill(key)

    def _here(self) -> str:
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else ""

    def _fill(self, stay: str = "") -> None:
        words = self.query_one("#narrow", LineInput).value.lower().split()
        ordered = [*self._chosen, *(key for key in self._choices if key not in self._chosen)]
        texts = {key: f"{key} {self._choices[key].detail}".lower() for key in ordered}
        self._shown = [key for key in ordered if all(word in texts[key] for word in words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(self._line(key)) for key in self._shown])
        if not self._shown:
            options.add_option(nothing_there("nothing is called that"))
        elif stay in self._shown:
            options.highlighted = self._shown.index(stay)

    def _line(self, key: str) -> Content:
        sign = f"{self._chosen.index(key) + 1:>2} ✓ " if key in self._chosen else "     "
        choice: Choice = self._choices[key]
        return Content.assemble(sign, choice.content(26))

    @on(LineInput.Changed, "#narrow")
    def _typed(self) -> None:
        self._fill()
        if self._shown:
            self.query_one(OptionList).highlighted = 0

    @on(LineInput.Submitted, "#narrow")
    def _entered(self) -> None:
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.dismiss(tuple(self._chosen))

"""What was tried before, newest first; one text is taken back."""

from __future__ import annotations

import time
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.figures import short_duration
from tui.playground_state import Tried
from tui.safe_text import plain, safe_text
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there

_EMPTY = ("Nothing was tried yet.", "Press esc, then e, and type; it is kept here.")
_NO_MATCH = ("No text has these words.", "esc clears the filter.")


class PickTried(ModalScreen[Tried | None]):
    """Dismissed with what is to be tried again, or with None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_checkpoint.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("slash", "to_filter", show=False),
    ]

    def __init__(self, tried: tuple[Tried, ...]) -> None:
        super().__init__()
        self._tried = tried
        self._shown: tuple[Tried, ...] = ()
        self._filter = LineInput(placeholder="/ words of the text", id="filter")
        self._list = OptionList(id="tried", markup=False)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "History"
            yield self._filter
            yield self._list
            hint = "enter takes the text back, / filters, esc cancels"
            yield Static(hint if self._tried else "esc goes back to the text", classes="hint foot")

    def on_mount(self) -> None:
        self._fill()
        self._list.focus()

    @on(LineInput.Changed)
    def _typed(self) -> None:
        if self.is_attached:
            self._fill()

    @on(LineInput.Submitted)
    def _entered(self) -> None:
        self._list.focus()

    def _fill(self) -> None:
        words = self._filter.value.lower().split()
        self._shown = tuple(one for one in self._tried if all(word in one.text.lower() for word in words))
        self._list.clear_options()
        self._list.add_options([Option(plain(_line(one))) for one in self._shown])
        if self._shown:
            self._list.highlighted = 0
        else:
            self._list.add_option(nothing_there(*(_NO_MATCH if self._tried else _EMPTY)))

    @on(OptionList.OptionSelected)
    def _took(self, event: OptionList.OptionSelected) -> None:
        if 0 <= event.option_index < len(self._shown):
            self.dismiss(self._shown[event.option_index])

    def action_to_filter(self) -> None:
        """Type words of a text."""
        self._filter.focus()

    def action_back(self) -> None:
        """Clear the filter, then close."""
        if self._filter.value:
            self._filter.value = ""
            self._list.focus()
        else:
            self.dismiss(None)


def _line(tried: Tried) -> str:
    age = short_duration(max(0.0, time.time() - tried.when)) if tried.when else ""
    result = f"  → {safe_text(tried.result, 24)}" if tried.result else ""
    return f"{age:>4}  {safe_text(tried.text, 110)}{result}"

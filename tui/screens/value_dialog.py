"""Asks for a value, and says while it is typed what it would do or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.safe_text import plain
from tui.widgets.line_input import LineInput


class ValueDialog(ModalScreen[str | None]):
    """Dismissed with what was typed, once it means something; with None on esc.

    meaning: what a typed value would do, as a sentence; it raises ValueError with one on what is wrong.
    """

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "value_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, title: str, caption: str, value: str, meaning: Callable[[str], str]) -> None:
        super().__init__()
        self._title = title
        self._caption = caption
        self._value = value
        self._meaning = meaning

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(self._title, 60)
            yield Static(plain(self._caption, 300), classes="caption")
            yield LineInput(self._value, id="value", max_length=30)
            yield Static(id="meaning")
            yield Static("enter asks for it, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        """What stands there at first is replaced by typing."""
        for field in self.query(LineInput):  # none, when a key closed it before it was composed
            field.focus()
            field.select_all()
            self._judge()

    def action_cancel(self) -> None:
        """Close without a value."""
        self.dismiss(None)

    @on(LineInput.Changed)
    def _judge(self) -> bool:
        """Say what the value would do; whether it means anything."""
        words, is_right = "", True
        try:
            words = self._meaning(self.query_one(LineInput).value)
        except ValueError as error:
            words, is_right = str(error), False
        shown = self.query_one("#meaning", Static)
        shown.set_class(not is_right, "error")
        shown.update(plain(words if is_right else f"✗ {words}", 300))
        return is_right

    @on(LineInput.Submitted)
    def _submitted(self, event: LineInput.Submitted) -> None:
        if self._judge():
            self.dismiss(event.value)
